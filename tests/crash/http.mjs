// Requests over connections that are kept. A request fails only when its connection does.
import http from 'node:http';

export class Http {
    constructor(port) {
        this.port = port;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    }

    // Resolves with { status, headers, text }.
    ask(method, path, body, headers = {}) {
        return new Promise((resolve, reject) => {
            const { port, agent } = this;
            const options = { host: '127.0.0.1', port, method, path, headers, agent };
            const request = http.request(options, (response) => {
                const parts = [];
                response.on('data', (part) => parts.push(part));
                response.on('error', reject);
                response.on('aborted', () => reject(new Error('the connection broke')));
                response.on('end', () => resolve({ status: response.statusCode,
                                                   headers: response.headers,
                                                   text: Buffer.concat(parts).toString() }));
            });
            request.on('error', reject);
            request.end(body === undefined ? undefined : JSON.stringify(body));
        });
    }

    command(sessionId, payload, key) {
        return this.ask('POST', `/v1/sessions/${sessionId}/commands/Put`, payload,
                        key === undefined ? {} : { 'Idempotency-Key': key });
    }

    close() {
        this.agent.destroy();
    }
}
