// A server process of the test: a port of its own, a directory of its own, killed and restarted.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const READY_TIMEOUT_MS = 60000;
const STOP_TIMEOUT_MS = 60000;

export class Daemon {
  #child = null;

  constructor(path, port, appOptions, app = "chat") {
    this.path = path;
    this.port = port;
    this.app = app;
    this.appOptions = appOptions;
    this.data = mkdtempSync(join(tmpdir(), "sessionstream-browser-"));
    this.log = "";
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    const flags = ["--listen", `127.0.0.1:${this.port}`, "--data", this.data, "--app", this.app];
    for (const option of this.appOptions) flags.push("--app-option", option);
    const child = spawn(this.path, flags, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (data) => { this.log += data; });
    child.stderr.on("data", (data) => { this.log += data; });
    child.on("exit", (code, signal) => { this.log += `[ended: ${signal ?? code}]\n`; });
    child.on("error", (error) => { this.log += `${error}\n`; });
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      if (child.exitCode !== null || child.pid === undefined) {
        throw new Error(`the daemon ended with ${child.exitCode}:\n${this.log}`);
      }
      try {
        if ((await fetch(this.origin + "/")).ok) return;
      } catch {
        // not listening yet
      }
      if (Date.now() > deadline) throw new Error(`the daemon does not answer:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async kill() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  // Ends it as an operator would; returns the exit status.
  async stop() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    child.kill("SIGTERM");
    await once(child, "exit");
    clearTimeout(timer);
    return child.exitCode;
  }

  remove() {
    rmSync(this.data, { recursive: true, force: true });
  }
}
