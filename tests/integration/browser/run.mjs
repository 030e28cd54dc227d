// The pages of the built-in applications in a real browser against a real server.
//
//   node run.mjs --daemon build/bin/sessionstreamd [--app jobs] [--out DIR] [--only NAME]
//
// Exits 0 if every scenario passed, 1 if one failed, 77 if there is no browser to test with.
// Screenshots are left in DIR.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { freePort } from "../ports.mjs";
import { Daemon } from "./daemon.mjs";
import { jobScenarios } from "./jobs_scenarios.mjs";
import { scenarios } from "./scenarios.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const SKIPPED = 77;
const STEP_TIMEOUT_MS = 60000;

// Slow enough to act in the middle.
const APPS = {
  chat: { scenarios, options: ["chunk_ms=60", "chunk_bytes=4"], parameter: "session" },
  jobs: { scenarios: jobScenarios, options: ["step_ms=800", "retry_ms=600000"], parameter: "job" },
};

const { values: flags } = parseArgs({ options: {
  daemon: { type: "string" },
  out: { type: "string", default: "screenshots" },
  only: { type: "string" },
  app: { type: "string", default: "chat" },
} });

const app = APPS[flags.app];

async function loadBrowser() {
  if (!existsSync(CHROMIUM)) return `no browser at ${CHROMIUM}; install chromium`;
  try {
    return (await import("playwright-core")).chromium;
  } catch {
    return "playwright-core is not installed; run npm install --no-package-lock here";
  }
}

// What went over the wire, for the report of a failure.
function recordFrames(page, number, frames) {
  const record = (what, text = "") => {
    frames.push(`${Date.now() % 100000} page ${number} ${what} ${String(text).slice(0, 200)}`);
  };
  page.on("websocket", (socket) => {
    record("open");
    socket.on("framesent", ({ payload }) => record("->", payload));
    socket.on("framereceived", ({ payload }) => record("<-", payload));
    socket.on("socketerror", (error) => record("error", error));
    socket.on("close", () => record("close"));
  });
}

async function runScenario(browser, scenario) {
  const daemon = new Daemon(flags.daemon, await freePort(), app.options, flags.app);
  const problems = [];
  const contexts = [];
  const frames = [];
  const open = async (session, { width = 1280, height = 800, query = "", ...rest } = {}) => {
    const context = await browser.newContext({ viewport: { width, height }, ...rest });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(STEP_TIMEOUT_MS);
    recordFrames(page, contexts.length, frames);
    page.on("pageerror", (error) => problems.push(`page error: ${error}`));
    page.on("console", (message) => {
      const expected = /WebSocket connection to|ERR_CONNECTION_REFUSED/.test(message.text());
      if (message.type() === "error" && !expected) problems.push(`console: ${message.text()}`);
    });
    await page.goto(`${daemon.origin}/?${app.parameter}=${session}${query}`);
    return page;
  };
  const shot = (page, name) => page.screenshot({ path: join(flags.out, `${name}.png`) });
  try {
    await daemon.start();
    await scenario.run({ daemon, open, shot });
    if (problems.length > 0) throw new Error(problems.join("\n"));
  } catch (error) {
    const page = contexts.at(-1)?.pages()[0];
    if (page) await shot(page, `failed-${scenario.name}`).catch(() => {});
    throw new Error(`${error.stack}\n--- latest frames:\n${frames.slice(-30).join("\n")}` +
                    `\n--- server:\n${daemon.log.slice(-4000)}`);
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
    await daemon.kill();
    daemon.remove();
  }
}

const chromium = await loadBrowser();
if (typeof chromium === "string") {
  console.log(`skipped: ${chromium}`);
  process.exit(SKIPPED);
}
if (!flags.daemon) {
  console.error("--daemon PATH is missing");
  process.exit(1);
}
mkdirSync(flags.out, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
let failed = 0;
for (const scenario of app.scenarios.filter(({ name }) => !flags.only || name === flags.only)) {
  const began = Date.now();
  try {
    await runScenario(browser, scenario);
    console.log(`ok    ${scenario.name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${scenario.name}\n${error.message}`);
  }
}
await browser.close();
process.exit(failed === 0 ? 0 : 1);
