import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startViewPages, type ViewPage, type ViewPages } from './view-page.ts';
import { finishedTurn, turn, viewState } from './view-states.ts';

let pages: ViewPages;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

/** Posts the pieces as deltas, a frame after each. */
async function stream(view: ViewPage, turnId: string, pieces: string[], framesBetween = true): Promise<void> {
  await view.page.evaluate(
    async ([id, texts, wait]) => {
      for (const text of texts) {
        window.postMessage({ type: 'delta', turnId: id, text }, '*');
        if (wait) await new Promise(requestAnimationFrame);
      }
    },
    [turnId, pieces, framesBetween] as const,
  );
}

const answerOf = (view: ViewPage, index = 0) => view.page.locator('.turn').nth(index).locator('.answer');

/** The answer's elements and text, without what differs from one drawing to the next. */
function drawnAnswer(view: ViewPage, index: number): Promise<string> {
  return answerOf(view, index).evaluate((answer) => {
    const copy = answer.cloneNode(true) as HTMLElement;
    for (const bar of copy.querySelectorAll('.code-toolbar')) bar.remove();
    copy.normalize();
    return copy.innerHTML;
  });
}

/** Pieces of 1 to `longest` characters, the same for the same seed. */
function pieces(text: string, longest: number, seed: number): string[] {
  const found: string[] = [];
  let state = seed;
  for (let at = 0; at < text.length; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const length = 1 + (state % longest);
    found.push(text.slice(at, at + length));
    at += length;
  }
  return found;
}

const documents = {
  finished: finishedTurn.answer,
  lists:
    '- one\n- two\n\n  still two\n\n      code in two\n- three\n\n1. first\n2. second\n   - inner\n\n> quote\n1.5 is lazy\n\nend',
  headings:
    'Title\n=====\n\ntext\n---\n\n# A #\n## B\ntext right below\n***\n**bold *and* it**\n\n    indented code\n\n\n    more of it\n',
  fences:
    '~~~py\nx = 1\n```\n~~~\nafter\n````md\n```js\nlet a\n```\n````\n  ```ts\n  indented();\n    more();\n  ```\nlast ``` line',
  table: 'a | b\n--|--\n1 | `2|3`\n\n| x |\n|---|\n',
  unclosed: 'text\n\n```rust\nfn main() {\n    let `x` = 1;\n',
  returns: 'one\r\n\r\n- two\r\n- three\r\n\r\n```\r\nfour\r\n```\r\n',
  html: '<b>no</b> <script>alert(1)</script>\n\n<div>\nblock\n</div>\n\n&amp; &lt;i&gt; \u202Egnp.exe',
};

describe('streaming', () => {
  test.each(Object.entries(documents))('%s: piece by piece gives the same as all at once', async (_name, text) => {
    const whole = turn({ id: 'whole', answer: text });
    const cuts = [1, 2, 3].map((seed) => pieces(text, seed * 7, seed));
    const streamed = cuts.map((_, index) => turn({ id: `piece ${index}`, phase: 'streaming' }));
    const view = await pages.open({ state: viewState({}, [whole, ...streamed]) });
    for (const [index, cut] of cuts.entries()) {
      await stream(view, `piece ${index}`, cut);
      await view.push({ type: 'turn', turn: turn({ id: `piece ${index}`, answer: text }) });
      await view.page.waitForTimeout(100);
      expect(await drawnAnswer(view, index + 1)).toBe(await drawnAnswer(view, 0));
    }
    expect(view.troubles).toEqual([]);
  });

  test('shows what has come, in order, before the answer is finished', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'waiting' })]) });
    await expect.poll(() => view.page.locator('.waiting').innerText()).toBe('Thinking…');
    await stream(view, 'turn-1', ['The ', '**first', '** line.\n\n```', 'js\nlet ', 'a = 1;\nlet b']);
    await expect.poll(() => answerOf(view).locator('code').textContent()).toBe('let a = 1;\nlet b');
    expect(await answerOf(view).locator('strong').innerText()).toBe('first');
    expect(await view.page.locator('.waiting').innerText()).toBe('Answering…');
    expect(await view.page.locator('.turn').getAttribute('aria-busy')).toBe('true');
    await stream(view, 'turn-1', [' = 2;\n```\nEnd']);
    await expect.poll(() => answerOf(view).locator('> p').last().innerText()).toBe('End');
    expect(await answerOf(view).locator('.hljs-keyword').count()).toBe(2);
  });

  test('the first blocks are not drawn again while the last one grows', async () => {
    const view = await pages.open({
      state: viewState({}, [turn({ phase: 'streaming', answer: 'First.\n\nSecond\n' })]),
    });
    const first = answerOf(view).locator('> p').first();
    await expect.poll(() => first.innerText()).toBe('First.');
    await first.evaluate((paragraph) => paragraph.setAttribute('data-seen', 'yes'));
    await stream(view, 'turn-1', ['goes on.', '\n\n- a', '\n- b']);
    await expect.poll(() => answerOf(view).locator('li').count()).toBe(2);
    expect(await first.getAttribute('data-seen')).toBe('yes');
  });

  test('an answer that begins anew replaces the old one', async () => {
    const view = await pages.open({ state: viewState({}, [finishedTurn]) });
    await expect.poll(() => answerOf(view).innerText()).toContain('SemVer');
    await view.push({ type: 'turn', turn: turn({ phase: 'waiting' }) });
    await expect.poll(() => answerOf(view).innerText()).toBe('');
    await stream(view, 'turn-1', ['Other ', 'words']);
    await view.push({ type: 'turn', turn: turn({ answer: 'Other words' }) });
    await expect.poll(() => answerOf(view).innerText()).toBe('Other words');
  });

  test('a delta of an unknown turn makes the page ask for the state, once', async () => {
    const view = await pages.open({ state: viewState() });
    await stream(view, 'elsewhere', ['a', 'b', 'c']);
    const asked = () => view.posts().then((posts) => posts.filter(({ type }) => type === 'ready').length);
    await expect.poll(asked).toBe(2);
    await view.push({
      type: 'state',
      state: viewState({}, [turn({ id: 'elsewhere', phase: 'streaming', answer: 'abc' })]),
    });
    await expect.poll(() => answerOf(view).innerText()).toBe('abc');
    expect(await asked()).toBe(2);
  });

  test('ten thousand deltas at once', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming' })]) });
    const words = Array.from({ length: 10_000 }, (_, index) => (index % 20 === 19 ? `w${index}.\n\n` : `w${index} `));
    await stream(view, 'turn-1', words, false);
    await expect.poll(() => answerOf(view).locator('> p').count(), { timeout: 60_000 }).toBe(500);
    const drawn = await answerOf(view).evaluate((answer) => answer.textContent!.replace(/\s+/g, ''));
    expect(drawn === words.join('').replace(/\s+/g, '')).toBe(true);
  });

  test('a block of 5,000 lines is complete, scrolls, and opens in full', async () => {
    const code = Array.from({ length: 5000 }, (_, index) => `const value${index} = ${index};\n`).join('');
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming' })]) });
    await stream(view, 'turn-1', pieces(`Here:\n\n\`\`\`js\n${code}\`\`\`\nDone.`, 4000, 5));
    await expect.poll(() => answerOf(view).locator('> p').last().innerText()).toBe('Done.');
    const block = answerOf(view).locator('.code-block pre');
    expect(await block.evaluate((pre) => pre.textContent)).toBe(code);
    expect(await block.evaluate((pre) => pre.clientHeight < window.innerHeight)).toBe(true);
    await view.page.getByRole('button', { name: 'Show all 5,000 lines' }).click();
    expect(await block.evaluate((pre) => pre.clientHeight > 50_000)).toBe(true);
    await view.page.getByRole('button', { name: 'Copy', exact: true }).click();
    expect(await view.nextPost('copy')).toEqual({ type: 'copy', text: code });
  });
});
