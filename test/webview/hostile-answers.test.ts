import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startViewPages, type ViewPage, type ViewPages } from './view-page.ts';
import { finishedTurn, turn, viewState } from './view-states.ts';

let pages: ViewPages;
let view: ViewPage;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

/** What hostile text tries to call; that it was is a trouble. */
async function open(answer: string, change: Parameters<typeof turn>[0] = {}): Promise<void> {
  view = await pages.open();
  await view.page.evaluate(() => Object.assign(window, { pwned: 0 }));
  await view.push({ type: 'state', state: viewState({}, [turn({ answer: `${answer}\n\nTHE END`, ...change })]) });
  await view.page.waitForFunction(() => document.querySelector('.answer')?.textContent?.includes('THE END'));
}

const answer = () => view.page.locator('.answer');

afterEach(async () => {
  // Time for what was set off to load or run.
  await view.page.waitForTimeout(200);
  expect(await view.page.evaluate(() => (window as unknown as { pwned?: number }).pwned)).toBe(0);
  expect(view.troubles).toEqual([]);
  const foreign = await view.page.evaluate(() => {
    const links = [...document.querySelectorAll('#root [href], #root [src], #root [style*="url"], #root [srcset]')];
    const scripts = [
      ...document.querySelectorAll('#root :is(script, iframe, object, embed, form, img, link, meta, base, style)'),
    ];
    const handlers = [...document.querySelectorAll('#root *')].filter((element) =>
      element.getAttributeNames().some((name) => name.startsWith('on')),
    );
    return [...links, ...scripts, ...handlers].map((element) => element.outerHTML.slice(0, 200));
  });
  expect(foreign).toEqual([]);
  await view.page.context().close();
});

describe('a hostile answer', () => {
  test('HTML is text', async () => {
    const html = [
      '<script>window.pwned = 1</script>',
      '<img src="https://evil.example/x.png" onerror="window.pwned = 1">',
      '<svg onload="window.pwned=1"><animate onbegin="window.pwned=1"/></svg>',
      '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
      '<style>body { background: url(https://evil.example/b.png) }</style>',
      '<a href="javascript:window.pwned=1">x</a>',
      '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned=1&gt;">',
      '<form id=root action="https://evil.example"><input name=innerHTML><button>go</button></form>',
      '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">',
    ];
    await open(html.join('\n\n'));
    expect(await answer().innerText()).toContain('<script>window.pwned = 1</script>');
    expect(await answer().innerText()).toContain('<img src="https://evil.example/x.png"');
  });

  test('images load nothing and become links', async () => {
    await open(
      '![pixel](https://evil.example/pixel.png "t") ![data](data:image/svg+xml;base64,PHN2Zz4=) ![](http://evil.example/2.png)',
    );
    expect(await answer().getByRole('link').allInnerTexts()).toEqual([
      'image: pixel',
      'image: http://evil.example/2.png',
    ]);
  });

  test('only web links are links; they have no address and the extension is asked to open them', async () => {
    await open(
      [
        '[a](command:workbench.action.terminal.new) [b](javascript:window.pwned=1) [c](data:text/html,<script>1</script>)',
        '[d](file:///etc/passwd) [e](vscode://x/y) [f](vbscript:x) [g](JaVaScRiPt:window.pwned=1) [h](&#106;avascript:window.pwned=1)',
        '[i](//evil.example/x) [j](x" onclick="window.pwned=1) [k](\u0001javascript:window.pwned=1) [l](blob:x/y)',
        '<javascript:window.pwned=1> <command:x> command:x javascript:window.pwned=1',
        '[good](https://good.example/a?b=1&c="d") https://bare.example/x',
      ].join('\n\n'),
    );
    const links = answer().getByRole('link');
    expect(await links.allInnerTexts()).toEqual(['good', 'https://bare.example/x']);
    for (const paragraph of (await answer().locator('> p').all()).slice(0, 3)) await paragraph.click();
    await links.nth(0).click();
    expect(await view.nextPost('openLink')).toEqual({ type: 'openLink', url: 'https://good.example/a?b=1&c=%22d%22' });
    await links.nth(1).click({ button: 'middle' });
    await links.nth(1).click({ modifiers: ['Control'] });
    expect(await view.nextPost('openLink')).toEqual({ type: 'openLink', url: 'https://bare.example/x' });
    await links.nth(1).press('Enter');
    expect((await view.posts()).filter(({ type }) => type === 'openLink')).toHaveLength(3);
  });

  test('a fence with a hostile language name', async () => {
    const names = [
      '"><img src=x onerror=window.pwned=1>',
      '__proto__',
      'constructor',
      '../../etc',
      `${'x'.repeat(5000)}`,
      'js" onload="x',
    ];
    await open(names.map((name) => `\`\`\`${name}\nlet a = 1;\n\`\`\``).join('\n\n'));
    expect(await answer().locator('.code-block').count()).toBe(names.length);
    expect(await answer().locator('.code-language').allInnerTexts()).toEqual([
      '',
      '__proto__',
      'constructor',
      '',
      '',
      '',
    ]);
    await answer().getByRole('button', { name: 'Put into a new file' }).first().click();
    expect(await view.nextPost('newFile')).toEqual({ type: 'newFile', text: 'let a = 1;\n', language: '' });
  });

  test('characters that reorder text are shown by name, in text, code, question, paths and titles', async () => {
    await open('safe \u202Egnp.exe\u202C `\u2066x\u2069`\n\n```js\nif (admin\u202E) {\n```', {
      question: 'open \u202Ecod.exe',
      citations: [{ path: 'src/\u202Etxt.js', startLine: 1, endLine: 1 }],
    });
    const everything = await view.page.evaluate(
      () =>
        document.body.textContent! +
        [...document.querySelectorAll('[title]')].map((element) => element.getAttribute('title')).join(),
    );
    expect(everything).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/);
    expect(await answer().innerText()).toContain('safe ⟨U+202E⟩gnp.exe⟨U+202C⟩');
    expect(await view.page.locator('.question').innerText()).toContain('⟨U+202E⟩');
    expect(await view.page.locator('.sources').innerText()).toContain('src/⟨U+202E⟩txt.js:1');
  });

  test('names that the host marks can be anything', async () => {
    await open('see <b>x.ts and a.*(b and src/a.ts', {
      citations: [
        { path: 'src/a.ts', startLine: 3, endLine: 9 },
        { path: '<img src=x onerror=window.pwned=1>', startLine: 1, endLine: 1 },
      ],
      unknownPaths: ['<b>x.ts', '\\', '[', ''],
      unknownSymbols: ['a.*(b', '$&', '(?<'],
    });
    expect(await answer().locator('.unknown').count()).toBe(2);
    await answer().getByRole('link', { name: 'src/a.ts' }).click();
    expect(await view.nextPost('openCitation')).toMatchObject({
      citation: { path: 'src/a.ts', startLine: 3, endLine: 9 },
    });
  });

  const large: [string, string][] = [
    ['1 MB of words', 'lorem ipsum `code` **bold** dolor '.repeat(30_000)],
    ['1 MB without a space', 'x'.repeat(1_000_000)],
    ['1 MB of short paragraphs', 'a paragraph\n\n'.repeat(80_000)],
    ['an unclosed fence of 1 MB', `\`\`\`ts\n${'let a = [1, 2, 3];\n'.repeat(55_000)}`],
    ['unclosed fences', '```\n~~~\n````\n'.repeat(2000)],
    ['10,000 nested quotes', `${'>'.repeat(10_000)} deep`],
    ['300 levels of quotes', Array.from({ length: 300 }, (_, depth) => `${'> '.repeat(depth)}x`).join('\n')],
    ['10,000 list items', Array.from({ length: 10_000 }, (_, index) => `${index + 1}. item`).join('\n')],
    ['1,000 nested lists', Array.from({ length: 1000 }, (_, depth) => `${'  '.repeat(depth)}- x`).join('\n')],
    ['brackets', `${'['.repeat(50_000)}${'](x)'.repeat(1000)}`],
    ['emphasis', `${'*a **b _c __d '.repeat(10_000)}`],
    ['backticks', Array.from({ length: 2000 }, (_, index) => '`'.repeat(index % 60)).join(' a ')],
    ['links', 'https://a.example/'.repeat(10_000)],
    ['a table of 10,000 cells', `|a|b|c|d|e|\n|-|-|-|-|-|\n${'|1|2|3|4|5|\n'.repeat(2000)}`],
    ['entities', '&amp;&#x202e;&lt;script&gt;'.repeat(20_000)],
    ['surrogates', '\u{1F600}'.repeat(30_000)],
  ];
  test.each(large)('%s is drawn in parts, and the page answers meanwhile', async (_name, text) => {
    view = await pages.open({
      state: viewState({}, [finishedTurn, turn({ id: 'large', phase: 'streaming', answer: '' })]),
    });
    await view.page.evaluate(() => Object.assign(window, { pwned: 0 }));
    await view.push({ type: 'turn', turn: turn({ id: 'large', phase: 'streaming', answer: text }) });
    // A click in the midst of it is answered.
    await view.page.getByRole('button', { name: 'Stop' }).click();
    expect(await view.nextPost('stop')).toEqual({ type: 'stop' });
    await view.push({ type: 'turn', turn: turn({ id: 'large', phase: 'stopped', answer: text }) });
    await view.page.waitForFunction(() => document.querySelectorAll('.answer')[1]!.childElementCount > 0);
    await view.page.getByRole('combobox').fill('next question');
    await view.page.keyboard.press('Enter');
    expect((await view.nextPost('ask')).question).toBe('next question');
    const letters = (value: string) => value.replace(/[^a-z0-9]/g, '').length;
    await expect
      .poll(
        () =>
          view.page
            .locator('.answer')
            .nth(1)
            .evaluate((node) => node.textContent!.length),
        { timeout: 60_000 },
      )
      .toBeGreaterThan(letters(text) * 0.3);
  });

  test('a large answer is spread over many frames', async () => {
    view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming' })]) });
    await view.page.evaluate(() => Object.assign(window, { pwned: 0 }));
    const text = 'lorem ipsum `code` **bold** dolor sit amet.\n\n'.repeat(20_000);
    const frames = await view.page.evaluate(
      async (finished) => {
        window.postMessage({ type: 'turn', turn: finished }, '*');
        let count = 0;
        while (!document.querySelector('.answer')?.textContent?.includes('THE END')) {
          await new Promise(requestAnimationFrame);
          count++;
        }
        return count;
      },
      turn({ answer: `${text}THE END` }),
    );
    expect(frames).toBeGreaterThan(20);
  });
});
