// What the page must do, one scenario per promise. Each gets a server of its own.

import assert from "node:assert/strict";

const LONG = "A prompt that is long enough to be caught in the middle of its answer, whatever " +
  "machine this runs on, because the pace is set by the server and not by the test. " +
  "It goes on for a while, and then a little longer, so that a kill lands inside.";

const pane = (page, tag = "A") => page.locator(`.pane[aria-label="View ${tag}"]`);
const answers = (page, tag = "A") => pane(page, tag).locator('.message[data-role="assistant"]');
const answer = (page, tag = "A") => answers(page, tag).last();

async function live(page, tag = "A") {
  await pane(page, tag).locator('.link[data-state="live"]').waitFor();
}

async function submit(page, text, tag = "A") {
  await live(page, tag);
  await pane(page, tag).locator("textarea").fill(text);
  await pane(page, tag).locator("textarea").press("Enter");
}

// Returns when the answer to it has begun.
async function send(page, text, tag = "A") {
  await live(page, tag);
  const before = await answers(page, tag).count();
  await submit(page, text, tag);
  await answers(page, tag).nth(before).waitFor();
}

async function status(page, wanted, tag = "A") {
  await answer(page, tag).and(page.locator(`[data-status="${wanted}"]`)).waitFor();
}

async function textOf(page, tag = "A") {
  return answer(page, tag).locator(".text").textContent();
}

async function grown(page, chars, tag = "A") {
  await page.waitForFunction(([label, min]) => {
    const rows = `.pane[aria-label="${label}"] [data-role=assistant] .text`;
    return [...document.querySelectorAll(rows)].at(-1)?.textContent.length >= min;
  }, [`View ${tag}`, chars]);
}

// Parts that are wider than their place.
async function overflowing(page) {
  return page.evaluate(() => {
    const selector = "html, .bar, .pane, .pane-head, .scroll, .field, .wire";
    return [...document.querySelectorAll(selector)]
      .filter((part) => part.scrollWidth > part.clientWidth + 1)
      .map((part) => part.className || part.tagName);
  });
}

const messagesOf = (page) => page.locator(".message").evaluateAll((rows) => rows.map((row) => ({
  id: row.dataset.id, role: row.dataset.role, status: row.dataset.status,
  text: row.querySelector(".text").textContent,
  created: row.querySelector(".created").textContent, last: row.querySelector(".last").textContent,
})));

async function twoWindows({ open, shot }) {
  const first = await open("two");
  const second = await open("two");
  await live(second);
  await shot(first, "1280-empty");
  await send(first, LONG);
  await Promise.all([grown(first, 20), grown(second, 20)]);
  await status(second, "streaming");
  await shot(second, "1280-streaming");
  await Promise.all([status(first, "finished"), status(second, "finished")]);
  assert.equal(await textOf(first), `Answer: ${LONG}`);
  assert.deepEqual(await messagesOf(first), await messagesOf(second));
  assert.equal(await first.locator("textarea").inputValue(), "");
  await shot(first, "1280-finished");
}

async function ordinals({ open }) {
  const page = await open("ordinals");
  await send(page, "Explain ordinals");
  await status(page, "finished");
  const [user, assistant] = await messagesOf(page);
  assert.deepEqual(user, { id: "chat-msg-1-user", role: "user", status: "",
                           text: "Explain ordinals", created: "1", last: "" });
  assert.equal(assistant.id, "chat-msg-1");
  assert.equal(assistant.created, "2");
  assert.equal(await pane(page).locator(".figure-last").textContent(), assistant.last);
  assert.equal(await pane(page).locator(".figure-snapshot").textContent(), "0");
  await page.reload();
  await live(page);
  assert.equal(await pane(page).locator(".figure-snapshot").textContent(), assistant.last);
  assert.deepEqual(await messagesOf(page), [user, assistant]);
}

async function killInMidAnswer({ open, shot, daemon }) {
  const first = await open("killed");
  const second = await open("killed");
  await live(second);
  await send(first, LONG);
  await Promise.all([grown(first, 30), grown(second, 30)]);
  await daemon.kill();
  await Promise.all([first, second].map((page) =>
    page.locator('.link[data-state="reconnecting"]').waitFor()));
  const before = await textOf(first);
  await shot(first, "1280-reconnecting");
  await daemon.start();
  for (const page of [first, second]) {
    await live(page);
    await status(page, "interrupted");
  }
  const after = await textOf(first);
  assert.equal(after, await textOf(second));
  assert.ok(after.startsWith(before), `what was shown is kept: "${before}" then "${after}"`);
  assert.ok(`Answer: ${LONG}`.startsWith(after) && after.length < LONG.length);
  assert.deepEqual(await messagesOf(first), await messagesOf(second));
  await shot(second, "1280-interrupted");
  await send(second, "Still here?");
  await first.locator(".message").nth(3).waitFor();
  await Promise.all([status(first, "finished"), status(second, "finished")]);
  assert.equal(await textOf(first), "Answer: Still here?");
  assert.equal((await messagesOf(first)).length, 4);
}

async function reloadInMidAnswer({ open }) {
  const page = await open("reloaded");
  await send(page, LONG);
  await grown(page, 30);
  await page.reload();
  await status(page, "streaming");
  await status(page, "finished");
  assert.equal(await textOf(page), `Answer: ${LONG}`);
}

async function stopButton({ open, shot }) {
  const page = await open("stopped");
  assert.ok(await pane(page).locator(".stop").isHidden());
  await send(page, LONG);
  await grown(page, 20);
  await pane(page).locator(".stop").click();
  await status(page, "stopped");
  const text = await textOf(page);
  assert.ok(`Answer: ${LONG}`.startsWith(text) && text.length < LONG.length);
  await pane(page).locator(".stop").waitFor({ state: "hidden" });
  await send(page, "Again");
  await status(page, "finished");
  assert.equal(await textOf(page), "Answer: Again");
  await shot(page, "1280-stopped");
}

async function keyboard({ open }) {
  const page = await open("keyboard");
  await live(page);
  const input = pane(page).locator("textarea");
  assert.ok(await input.evaluate((element) => element === document.activeElement));
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  assert.equal(await input.inputValue(), "one\ntwo");
  assert.equal(await page.locator(".message").count(), 0);
  await page.keyboard.press("Enter");
  await status(page, "finished");
  assert.equal(await textOf(page), "Answer: one\ntwo");
  await page.keyboard.type(LONG);
  await page.keyboard.press("Enter");
  await page.locator(".message").nth(3).waitFor();
  await status(page, "streaming");
  await page.keyboard.press("Escape");
  await status(page, "stopped");
  await page.keyboard.press("Shift+Tab");
  const focused = await page.evaluate(() => document.activeElement.className);
  assert.equal(focused, "scroll");
  assert.notEqual(await page.evaluate(() =>
    getComputedStyle(document.activeElement).outlineStyle), "none");
}

async function scriptIsText({ open }) {
  const page = await open("script");
  const prompt = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>&amp;';
  await page.locator("#wire-toggle").click();
  await send(page, prompt);
  await status(page, "finished");
  assert.equal(await textOf(page), `Answer: ${prompt}`);
  await page.locator(".wire-list summary").first().click();
  const markup = ":is(.message, .wire) :is(img, script, b)";
  assert.equal(await page.locator(markup).count(), 0);
  assert.match(await page.title(), /^script/);
}

async function split({ open, shot }) {
  const page = await open("split");
  await page.locator("#split").click();
  await live(page, "B");
  await send(page, "Grüße, 世界 👋 – " + LONG, "B");
  await Promise.all([grown(page, 40, "A"), grown(page, 40, "B")]);
  await page.locator("#wire-toggle").click();
  await shot(page, "1280-split-wire");
  assert.deepEqual(await overflowing(page), []);
  await Promise.all([status(page, "finished", "A"), status(page, "finished", "B")]);
  // Only now: while frames come in, the entry that was meant moves on.
  await page.locator(".wire-list summary").nth(2).click();
  assert.match(await page.locator(".wire-list pre").textContent(), /"(uiEvent|activity|accepted)"/);
  assert.equal(await textOf(page, "A"), await textOf(page, "B"));
  await page.locator("#split").click();
  assert.equal(await page.locator(".pane").count(), 1);
}

async function sessions({ open }) {
  const page = await open("old");
  await send(page, "In the old session");
  await status(page, "finished");
  await page.locator("#new-session").click();
  const id = await page.locator("#session-id").textContent();
  assert.match(id, /^chat-[0-9a-z]{10}$/);
  assert.match(page.url(), new RegExp(`session=${id}$`));
  await pane(page).locator(".example").first().click();
  await status(page, "finished");
  assert.equal((await messagesOf(page)).length, 2);
  await page.goBack();
  await pane(page).getByText("In the old session", { exact: true }).waitFor();
  assert.equal(await textOf(page), "Answer: In the old session");
}

async function refusedPrompt({ open, shot }) {
  const page = await open("refused");
  const prompt = "é".repeat(10000);
  await submit(page, prompt);
  const notice = pane(page).locator(".notice");
  await notice.waitFor();
  assert.match(await notice.textContent(), /too_large.*20000.*16384/);
  assert.equal((await pane(page).locator("textarea").inputValue()).length, 10000);
  assert.equal(await page.locator(".message").count(), 0);
  await shot(page, "1280-refused");
}

async function scrolledUp({ open, shot }) {
  const page = await open("scrolled", { height: 420 });
  for (let i = 0; i < 4; i++) {
    await send(page, `Line ${i}`);
    await status(page, "finished");
  }
  const scroll = pane(page).locator(".scroll");
  const below = () => scroll.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  assert.ok(await below() < 2, "new text keeps the end in view");
  await send(page, LONG);
  await status(page, "streaming");
  await scroll.evaluate((box) => { box.scrollTop = 0; });
  await grown(page, 120);
  assert.equal(await scroll.evaluate((box) => box.scrollTop), 0);
  await shot(page, "1280-scrolled-up");
  await pane(page).locator(".latest").click();
  await grown(page, 200);
  assert.ok(await below() < 2, "back at the end");
}

async function phone({ open, shot }) {
  const size = { width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
  const page = await open("phone", size);
  await live(page);
  await shot(page, "390-empty");
  assert.deepEqual(await overflowing(page), []);
  await send(page, "Explain ordinals");
  await status(page, "finished");
  await send(page, LONG);
  await grown(page, 60);
  await shot(page, "390-streaming");
  assert.deepEqual(await overflowing(page), []);
  await page.locator("#split").click();
  await live(page, "B");
  await grown(page, 60, "B");
  await shot(page, "390-split");
  assert.deepEqual(await overflowing(page), []);
  await page.locator("#split").click();
  await page.locator("#wire-toggle").click();
  await shot(page, "390-wire");
  assert.deepEqual(await overflowing(page), []);
}

async function dark({ open, shot }) {
  const page = await open("dark", { colorScheme: "dark", query: "&split=1" });
  await send(page, "Explain ordinals");
  await status(page, "finished");
  await send(page, LONG);
  await grown(page, 60);
  await page.locator("#wire-toggle").click();
  await shot(page, "1280-dark");
  const small = await open("dark", { colorScheme: "dark", width: 390, height: 844 });
  await status(small, "streaming");
  await shot(small, "390-dark");
}

export const scenarios = [
  { name: "two-windows", run: twoWindows },
  { name: "ordinals", run: ordinals },
  { name: "kill-in-mid-answer", run: killInMidAnswer },
  { name: "reload-in-mid-answer", run: reloadInMidAnswer },
  { name: "stop-button", run: stopButton },
  { name: "keyboard", run: keyboard },
  { name: "script-is-text", run: scriptIsText },
  { name: "split", run: split },
  { name: "sessions", run: sessions },
  { name: "refused-prompt", run: refusedPrompt },
  { name: "scrolled-up", run: scrolledUp },
  { name: "phone", run: phone },
  { name: "dark", run: dark },
];
