// What the page of the job runner must do, one scenario per promise.

import assert from "node:assert/strict";

const rows = (page) => page.locator("#board .row");
const steps = (page) => page.locator("#steps .step");
const badge = (part, state) => part.locator(`.badge[data-state="${state}"]`);

async function live(page) {
  await page.locator('#link[data-state="live"]').waitFor();
}

async function startJob(page, { title = "Nightly import", count = 2, fails = false } = {}) {
  await live(page);
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Steps").fill(String(count));
  await page.getByLabel("Step 2 fails twice").setChecked(fails);
  await page.getByRole("button", { name: "Start a job" }).click();
  await page.locator("#job-title", { hasText: title }).waitFor();
}

const ended = (page, state) => page.locator(`#job-state[data-state="${state}"]`).waitFor();

async function overflowing(page) {
  return page.evaluate(() => {
    const selector = "html, section, form, nav, .row, .job-head, .step, .line";
    return [...document.querySelectorAll(selector)]
      .filter((part) => part.scrollWidth > part.clientWidth + 1)
      .map((part) => part.className || part.tagName);
  });
}

async function submit(daemon, session, name, payload) {
  const answer = await fetch(`${daemon.origin}/v1/sessions/${session}/commands/${name}`,
                             { method: "POST", body: JSON.stringify(payload) });
  assert.equal(answer.status, 200, await answer.text());
}

async function runs({ open, shot }) {
  const page = await open("");
  await live(page);
  assert.ok(await page.locator("#board-empty").isVisible());
  await shot(page, "jobs-1280-empty");
  await startJob(page);
  await page.waitForFunction(() => document.querySelector(".bar")?.value >= 20);
  await shot(page, "jobs-1280-running");
  await ended(page, "done");
  assert.equal(await badge(steps(page), "done").count(), 2);
  await badge(rows(page), "done").waitFor();
  assert.deepEqual(await page.locator(".line-text").allTextContents(),
                   ["Nightly import: 2 steps", "step 1 of 2 is done", "step 2 of 2 is done"]);
  assert.ok(await page.getByRole("button", { name: "Cancel" }).isHidden());
  await shot(page, "jobs-1280-done");
}

async function failsAndRetries({ open, shot }) {
  const page = await open("", { colorScheme: "dark" });
  await startJob(page, { fails: true, count: 3 });
  await badge(steps(page), "waiting").waitFor();
  await shot(page, "jobs-1280-dark-waiting");
  await page.getByRole("button", { name: "Retry now" }).click();
  await ended(page, "failed");
  await badge(rows(page), "failed").waitFor();
  await shot(page, "jobs-1280-dark-failed");
  await page.getByRole("button", { name: "Retry now" }).click();
  await ended(page, "done");
  assert.ok(await page.getByText("Step 2 of 3, attempt 3").isVisible());
  await shot(page, "jobs-1280-dark-done");
}

async function reloadsAndComesBack({ daemon, open }) {
  const page = await open("");
  await startJob(page, { count: 4 });
  const url = page.url();
  await badge(steps(page), "done").first().waitFor();
  await page.reload();
  await page.locator("#job-title", { hasText: "Nightly import" }).waitFor();
  assert.ok(await badge(steps(page), "done").count() >= 1);
  await daemon.kill();
  await page.locator('#link[data-state="lost"], #link[data-state="connecting"]').waitFor();
  await daemon.start();
  await ended(page, "done");
  assert.equal(page.url(), url);
  assert.equal(await badge(steps(page), "done").count(), 4);
  assert.ok(await page.getByText("the server came back").isVisible());
  await badge(rows(page), "done").waitFor();
}

async function cancels({ open }) {
  const page = await open("");
  await startJob(page, { count: 40 });
  await page.getByRole("button", { name: "Cancel" }).click();
  await ended(page, "cancelled");
  assert.equal(await badge(steps(page), "cancelled").count(), 1);
  assert.ok(await page.getByRole("button", { name: "Retry now" }).isHidden());
}

async function phone({ open, shot }) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open("", { width: 390, height: 844, colorScheme });
    const title = "A job with a title that is as long as the form lets it be, here";
    await startJob(page, { title: title.slice(0, 60), fails: true, count: 3 });
    await badge(steps(page), "waiting").waitFor();
    assert.deepEqual(await overflowing(page), []);
    await shot(page, `jobs-390-${colorScheme}`);
  }
}

async function manyJobs({ daemon, open, shot }) {
  const page = await open("");
  await live(page);
  const names = Array.from({ length: 200 }, (_, i) => `many-${String(i).padStart(3, "0")}`);
  await Promise.all(names.map((name) => submit(daemon, name, "StartJob",
                                               { title: `Job ${name}`, steps: 1 })));
  await page.waitForFunction(() => document.querySelectorAll("#board .row").length === 200);
  await shot(page, "jobs-1280-many");
  // While the board moves, a click still chooses the job it was on.
  await page.locator(".row-title", { hasText: "many-100" }).click();
  await page.locator("#job-title", { hasText: "many-100" }).waitFor();
  const order = await page.locator(".row-title").allTextContents();
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll("#board .row").length === 200);
  assert.deepEqual(await page.locator(".row-title").allTextContents(), order);
}

async function strangeAddresses({ open }) {
  const page = await open("no-such-job");
  await page.getByText("There is no such job.").waitFor();
  await page.goto(page.url().replace("no-such-job", "board"));
  await live(page);
  await startJob(page, { count: 1 });
  await badge(rows(page), "done").waitFor();
  await page.goto(page.url().replace(/job=.*/, `job=${"x".repeat(300)}`));
  await page.locator("#trouble", { hasText: /./ }).waitFor();
}

export const jobScenarios = [
  { name: "runs", run: runs },
  { name: "fails-and-retries", run: failsAndRetries },
  { name: "reloads-and-comes-back", run: reloadsAndComesBack },
  { name: "cancels", run: cancels },
  { name: "phone", run: phone },
  { name: "many-jobs", run: manyJobs },
  { name: "strange-addresses", run: strangeAddresses },
];
