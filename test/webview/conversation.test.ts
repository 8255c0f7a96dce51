import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConversationEntry, FolderState, HostState } from '../../protocol/view.ts';
import { startViewPages, type ViewPage, type ViewPages } from './view-page.ts';
import { absorbedFolder, absorbingFolder, finishedTurn, host, newFolder, turn, viewState } from './view-states.ts';

let pages: ViewPages;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

const button = (view: ViewPage, name: string) => view.page.getByRole('button', { name, exact: true });

describe('turns', () => {
  test('a finished answer has sources, marks, what was shown, and who answered', async () => {
    const view = await pages.open({ state: viewState({}, [finishedTurn]) });
    const answer = view.page.locator('.answer');
    await answer.getByRole('link', { name: 'functions/parse.js:4' }).click();
    expect(await view.nextPost('openCitation')).toEqual({
      type: 'openCitation',
      folder: '/projects/semver',
      citation: { path: 'functions/parse.js', startLine: 4, endLine: 16 },
    });
    await view.page.locator('.sources').getByRole('link', { name: 'classes/semver.js:9–71' }).press('Enter');
    expect((await view.nextPost('openCitation')).citation.path).toBe('classes/semver.js');
    const unknown = answer.locator('.unknown');
    expect(
      await unknown.evaluateAll((marks) => marks.map((mark) => [mark.textContent, mark.getAttribute('title')])),
    ).toEqual([
      ['lib/range-parser.js (not in this workspace)', 'not in this workspace'],
      ['parseRangeStrict (not in this workspace)', 'not in this workspace'],
    ]);
    // A name in a code block is a proposal.
    expect(await answer.locator('.code-block .mark').count()).toBe(0);
    await view.page.getByText('What the model was shown (4)').click();
    await view.page.locator('.shown').getByRole('link', { name: 'classes/range.js:40–66' }).click();
    expect((await view.nextPost('openCitation')).citation).toEqual({
      path: 'classes/range.js',
      startLine: 40,
      endLine: 66,
    });
    expect(await view.page.locator('.answered-by').innerText()).toBe(
      'Adapter version 7 · first token after 0.3 s · 48 tokens/s',
    );
    await button(view, 'Copy answer').click();
    expect(await view.nextPost('copy')).toEqual({ type: 'copy', text: finishedTurn.answer });
    await button(view, 'Ask again').click();
    expect(await view.nextPost('retry')).toEqual({ type: 'retry', turnId: 'turn-1' });
    expect(view.troubles).toEqual([]);
  });

  test('says whose adapter answered, where packages have their own', async () => {
    const named = ['packages/core', '.'].map((one, index) => turn({ id: `turn-${index}`, package: one }));
    const view = await pages.open({ state: viewState({}, named) });
    const lines = await view.page.locator('.answered-by').allInnerTexts();
    expect(lines[0]).toMatch(/^Adapter of packages\/core, version 7 · /);
    expect(lines[1]).toMatch(/^Adapter of no package, version 7 · /);
  });

  test('says that the model was surer without what it was shown', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ id: 'turn-1', fromMemory: true })]) });
    expect(await view.page.locator('.answered-by').innerText()).toMatch(/^Adapter version 7 · from memory · /);
  });

  test('citations that come after the text mark it then, and new ones replace old ones', async () => {
    const answer = 'See a.ts, src/a.ts:7, lib/b.ts and x.ts.';
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming', answer })]) });
    await view.page.waitForFunction(() => document.querySelector('.answer p'));
    expect(await view.page.locator('.answer .mark').count()).toBe(0);
    const citations = [
      { path: 'src/a.ts', startLine: 1, endLine: 90 },
      { path: 'src/a.ts', startLine: 7, endLine: 9 },
    ];
    await view.push({ type: 'turn', turn: turn({ answer, citations, unknownPaths: ['x.ts'] }) });
    const links = view.page.locator('.answer').getByRole('link');
    expect(await links.allInnerTexts()).toEqual(['a.ts', 'src/a.ts:7']);
    await links.nth(1).click();
    expect((await view.nextPost('openCitation')).citation).toEqual(citations[1]);
    await view.push({
      type: 'turn',
      turn: turn({ answer, citations: [{ path: 'lib/b.ts', startLine: 2, endLine: 2 }] }),
    });
    expect(await links.allInnerTexts()).toEqual(['lib/b.ts']);
    expect(await view.page.locator('.answer').innerText()).toBe(answer);
  });

  test('code blocks can be copied, inserted and put into a file', async () => {
    const view = await pages.open({
      state: viewState({}, [turn({ answer: '- a\n\n  ```ts\n  let a = `<b>`;\n  ```' })]),
    });
    const text = 'let a = `<b>`;\n';
    await button(view, 'Copy').click();
    expect(await view.nextPost('copy')).toEqual({ type: 'copy', text });
    await button(view, 'Insert at cursor').click();
    expect(await view.nextPost('insertAtCursor')).toEqual({ type: 'insertAtCursor', text });
    await button(view, 'Put into a new file').click();
    expect(await view.nextPost('newFile')).toEqual({ type: 'newFile', text, language: 'ts' });
  });

  test('failed, stopped and empty answers say so and what to do', async () => {
    const turns = [
      turn({ id: 'a', phase: 'failed', answer: 'half', message: 'The native host stopped. Try again.' }),
      turn({ id: 'b', phase: 'stopped', answer: 'other half', message: null }),
      turn({ id: 'c', phase: 'done', answer: '' }),
    ];
    const view = await pages.open({ state: viewState({}, turns) });
    const shown = view.page.locator('.turn');
    await expect.poll(() => shown.nth(0).innerText()).toMatch(/half[\s\S]*The native host stopped. Try again./);
    expect(await shown.nth(1).innerText()).toContain('Stopped.');
    expect(await shown.nth(2).innerText()).toContain('The model gave an empty answer.');
    await button(view, 'Try again').click();
    expect(await view.nextPost('retry')).toEqual({ type: 'retry', turnId: 'a' });
    await button(view, 'Show log').click();
    expect(await view.nextPost('runCommand')).toEqual({ type: 'runCommand', command: 'lift.showLog' });
  });

  test('screen readers hear states and finished answers, not tokens', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'waiting' })]) });
    const heard = await view.page.evaluateHandle(() => {
      const all: string[] = [];
      const region = document.querySelector('[role="status"]')!;
      new MutationObserver(() => all.push(region.textContent!)).observe(region, { childList: true });
      return all;
    });
    for (const text of ['One ', 'two ', 'three.']) await view.push({ type: 'delta', turnId: 'turn-1', text });
    await view.push({ type: 'turn', turn: turn({ answer: 'One two three.' }) });
    await expect
      .poll(async () => (await heard.jsonValue()).filter(Boolean))
      .toEqual(['Answering…', 'Answer: One two three.']);
  });

  test('a question that was taken out of the conversation goes from the page', async () => {
    const turns = ['a', 'b', 'c'].map((id) => turn({ id, question: `question ${id}`, answer: id }));
    const view = await pages.open({ state: viewState({}, turns) });
    const conversation = { id: 'conversation-1', title: 'x', turns: turns.slice(0, 1) };
    await view.push({ type: 'conversation', conversation, history: [] });
    expect(await view.page.locator('.question-text').allInnerTexts()).toEqual(['question a']);
    await view.push({
      type: 'conversation',
      conversation: { id: 'conversation-2', title: '', turns: [] },
      history: [],
    });
    expect(await view.page.locator('.turn').count()).toBe(0);
    expect(await view.page.getByRole('heading', { name: 'Ask about this code' }).count()).toBe(1);
  });
});

describe('scrolling', () => {
  const long = Array.from({ length: 80 }, (_, index) => `Paragraph ${index}.\n\n`).join('');
  const distance = (view: ViewPage) =>
    view.page.locator('.scroller').evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
  const top = (view: ViewPage) => view.page.locator('.scroller').evaluate((node) => node.scrollTop);

  test('follows the answer at the end, stays where the reader went, and offers the way back', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming', answer: long })]) });
    const latest = view.page.getByRole('button', { name: 'Latest' });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(80);
    await expect.poll(() => distance(view)).toBeLessThan(2);
    expect(await latest.isVisible()).toBe(false);
    await view.page.locator('.scroller').hover();
    await view.page.mouse.wheel(0, -600);
    await expect.poll(() => latest.isVisible()).toBe(true);
    const before = await top(view);
    await view.push({ type: 'delta', turnId: 'turn-1', text: long });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(160);
    expect(await top(view)).toBe(before);
    await latest.click();
    await expect.poll(() => distance(view)).toBeLessThan(2);
    await view.push({ type: 'delta', turnId: 'turn-1', text: long });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(240);
    await expect.poll(() => distance(view)).toBeLessThan(2);
    expect(await latest.isVisible()).toBe(false);
  });

  test('a reload comes back to the same place', async () => {
    const state = viewState({}, [turn({ answer: long }), turn({ id: 'turn-2', answer: long })]);
    const view = await pages.open({ state });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(160);
    await view.page.locator('.scroller').evaluate((node) => node.scrollTo(0, 1234));
    await expect.poll(() => view.page.evaluate(() => sessionStorage.getItem('kept'))).toContain('"top":1234');
    await view.page.reload();
    await view.push({ type: 'state', state });
    await expect.poll(() => top(view)).toBe(1234);
    await view.push({ type: 'conversation', conversation: { ...state.conversation, id: 'other' }, history: [] });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(160);
    await expect.poll(() => distance(view)).toBeLessThan(2);
  });
});

describe('history', () => {
  const history: ConversationEntry[] = [
    {
      id: 'conversation-1',
      title: 'The first one',
      updated: new Date(Date.now() - 3 * 86_400_000).toISOString(),
      turns: 1,
    },
    { id: 'older', title: 'An <i>older</i> one', updated: new Date().toISOString(), turns: 12 },
  ];

  test('opens, deletes after asking, begins anew, by keyboard too', async () => {
    const view = await pages.open({ state: viewState({ history }) });
    const opener = button(view, 'Earlier conversations');
    await opener.click();
    const list = view.page.getByRole('region', { name: 'Earlier conversations' });
    expect(await list.innerText()).toMatch(
      /The first one[\s\S]*3 days ago · 1 question[\s\S]*An <i>older<\/i> one[\s\S]*12 questions/,
    );
    await view.page.keyboard.press('Escape');
    expect(await list.isVisible()).toBe(false);
    expect((await view.posts()).some(({ type }) => type === 'stop')).toBe(false);
    await opener.click();
    await button(view, 'Delete “An <i>older</i> one”').click();
    await button(view, 'Delete').click();
    expect(await view.nextPost('deleteConversation')).toEqual({ type: 'deleteConversation', id: 'older' });
    await list.getByRole('button', { name: /The first one 3 days/ }).click();
    expect(await view.nextPost('openConversation')).toEqual({ type: 'openConversation', id: 'conversation-1' });
    expect(await list.isVisible()).toBe(false);
    await button(view, 'New conversation').click();
    await view.nextPost('newConversation');
  });
});

describe('what to do next', () => {
  const cases: [string, Partial<HostState>, FolderState[], RegExp, string | null, object | null][] = [
    [
      'not absorbed',
      {},
      [newFolder],
      /Teach LIFT this code/,
      'Absorb workspace',
      { type: 'absorption', action: 'absorb', folder: newFolder.folder },
    ],
    [
      'two folders',
      {},
      [newFolder, { ...newFolder, folder: '/b', name: 'b' }],
      /Teach LIFT/,
      'Absorb b',
      { type: 'absorption', action: 'absorb', folder: '/b' },
    ],
    [
      'absorbing failed',
      {},
      [{ ...newFolder, phase: 'failed', message: 'Not enough memory.' }],
      /failed[\s\S]*Not enough memory/,
      'Show log',
      { type: 'runCommand', command: 'lift.showLog' },
    ],
    [
      'first absorption runs',
      {},
      [{ ...absorbingFolder, version: null }],
      /Absorbing semver[\s\S]*You can ask already/,
      null,
      null,
    ],
    ['absorbed', {}, [absorbedFolder], /Ask about this code/, 'What calls …?', null],
    [
      'untrusted',
      { phase: 'untrusted' },
      [],
      /not trusted/,
      'Manage trust',
      { type: 'runCommand', command: 'lift.manageTrust' },
    ],
    ['no folder', { phase: 'noFolder' }, [], /No folder is open[\s\S]*Open Folder/, null, null],
    ['virtual', { phase: 'virtual' }, [], /virtual[\s\S]*Clone/, null, null],
    [
      'failed',
      { phase: 'failed', message: 'It ran out of memory.' },
      [absorbedFolder],
      /can’t run[\s\S]*out of memory/,
      'Restart',
      { type: 'runCommand', command: 'lift.restartHost' },
    ],
    ['restarting', { phase: 'restarting' }, [absorbedFolder], /Starting again/, null, null],
  ];
  test.each(cases)('%s', async (_name, change, folders, text, label, posted) => {
    const view = await pages.open({ state: viewState({ host: { ...host, ...change }, folders }) });
    expect(await view.page.locator('.next-step').innerText()).toMatch(text);
    if (label) await button(view, label).click();
    if (posted) expect((await view.posts()).at(-1)).toEqual(posted);
    expect(view.troubles).toEqual([]);
  });

  test('a trouble of the host stands above a conversation and goes when it is over', async () => {
    const view = await pages.open({ state: viewState({ host: { ...host, phase: 'failed' } }, [finishedTurn]) });
    expect(await view.page.locator('.next-step').innerText()).toContain('LIFT can’t run');
    await view.push({ type: 'folders', host, folders: [absorbedFolder] });
    expect(await view.page.locator('.next-step').count()).toBe(0);
  });

  test('the line above the conversation tells the coverage and leads to the panel', async () => {
    const view = await pages.open({ state: viewState() });
    const line = view.page.getByRole('button', { name: /semver/ });
    expect(await line.innerText()).toBe('semver: 96 % absorbed · 3 files changed');
    await view.push({ type: 'folders', host, folders: [absorbingFolder] });
    expect(await line.innerText()).toBe('Absorbing semver: 42 % · 3 minutes left');
    await line.click();
    expect(await view.page.getByRole('tab', { selected: true }).innerText()).toContain('Absorption');
  });
});
