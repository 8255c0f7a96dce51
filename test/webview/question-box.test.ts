import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startViewPages, type ViewPage, type ViewPages } from './view-page.ts';
import { context, finishedTurn, host, turn, viewState } from './view-states.ts';

let pages: ViewPages;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

const box = (view: ViewPage) => view.page.getByRole('combobox', { name: 'Question' });
const button = (view: ViewPage, name: string) => view.page.getByRole('button', { name, exact: true });
const files = ['functions/parse.js', 'internal/parse-options.js', 'test/parse.js'].map((path) => ({
  folder: '/projects/semver',
  path,
}));

describe('asking', () => {
  test('Enter sends, Shift+Enter makes a line, an empty question is not sent', async () => {
    const view = await pages.open({ state: viewState() });
    expect(await button(view, 'Send').isDisabled()).toBe(true);
    await box(view).press('Enter');
    await box(view).pressSequentially('one');
    await box(view).press('Shift+Enter');
    await box(view).pressSequentially('two');
    await box(view).press('Enter');
    expect(await view.nextPost('ask')).toEqual({ type: 'ask', question: 'one\ntwo', mentions: [] });
    expect(await box(view).inputValue()).toBe('');
    await box(view).fill('three');
    await button(view, 'Send').click();
    expect((await view.nextPost('ask')).question).toBe('three');
    expect((await view.posts()).filter(({ type }) => type === 'ask')).toHaveLength(2);
  });

  test('while an answer comes the button stops, Escape stops, and Enter keeps the question', async () => {
    const view = await pages.open({ state: viewState({}, [turn({ phase: 'streaming', answer: 'Well' })]) });
    await box(view).fill('next');
    await box(view).press('Enter');
    expect(await box(view).inputValue()).toBe('next');
    expect(await view.page.locator('#question-hint').innerText()).toContain('Stop it first');
    await button(view, 'Stop').click();
    await view.nextPost('stop');
    await box(view).press('Escape');
    await view.nextPost('stop');
    await view.push({ type: 'turn', turn: turn({ phase: 'stopped', answer: 'Well' }) });
    await box(view).press('Escape');
    await box(view).press('Enter');
    await view.nextPost('ask');
    expect((await view.posts()).map(({ type }) => type)).toEqual(['ready', 'stop', 'stop', 'ask']);
  });

  test('where nothing can be asked the reason is given', async () => {
    const view = await pages.open({ state: viewState({ host: { ...host, phase: 'untrusted' }, folders: [] }) });
    await box(view).fill('why');
    expect(await button(view, 'Send').isDisabled()).toBe(true);
    await box(view).press('Enter');
    expect(await view.page.locator('#question-hint').innerText()).toContain('only when you trust it');
    expect(await box(view).inputValue()).toBe('why');
  });

  test('the extension can put a question into the box, and send it', async () => {
    const view = await pages.open({ state: viewState() });
    await view.page.getByRole('tab', { name: /Absorption/ }).click();
    await view.push({ type: 'prefill', question: 'What is this?', send: false });
    expect(await box(view).inputValue()).toBe('What is this?');
    expect(await box(view).evaluate((node) => document.activeElement === node)).toBe(true);
    await view.push({ type: 'prefill', question: 'And that?', send: true });
    expect((await view.nextPost('ask')).question).toBe('And that?');
  });

  test('a suggestion fills the box with its blank selected', async () => {
    const view = await pages.open({ state: viewState() });
    await button(view, 'What calls …?').click();
    await view.page.keyboard.type('parse');
    expect(await box(view).inputValue()).toBe('What calls parse?');
  });
});

describe('mentions', () => {
  test('@ lists files; the arrow keys, Enter and Escape work; the question carries them', async () => {
    const view = await pages.open({ state: viewState() });
    await box(view).pressSequentially('What does @pa');
    for (const query of ['', 'p', 'pa']) expect((await view.nextPost('findFiles')).query).toBe(query);
    await view.push({ type: 'fileMatches', query: 'p', files: [] });
    expect(await view.page.getByRole('listbox').isVisible()).toBe(false);
    await view.push({ type: 'fileMatches', query: 'pa', files });
    const list = view.page.getByRole('listbox', { name: 'Files' });
    expect(await list.getByRole('option').allInnerTexts()).toHaveLength(3);
    expect(await box(view).getAttribute('aria-expanded')).toBe('true');
    const active = async () =>
      view.page.locator(`#${await box(view).getAttribute('aria-activedescendant')}`).getAttribute('title');
    expect(await active()).toBe('functions/parse.js');
    await box(view).press('ArrowUp');
    expect(await active()).toBe('test/parse.js');
    await box(view).press('ArrowDown');
    await box(view).press('ArrowDown');
    expect(await active()).toBe('internal/parse-options.js');
    expect(await list.getByRole('option', { selected: true }).count()).toBe(1);
    await box(view).press('Enter');
    expect(await box(view).inputValue()).toBe('What does @internal/parse-options.js ');
    expect(await list.isVisible()).toBe(false);
    await box(view).pressSequentially('do and @x');
    await view.push({ type: 'fileMatches', query: 'x', files: [] });
    expect(await list.innerText()).toBe('No file has this name.');
    await box(view).press('Escape');
    expect(await list.isVisible()).toBe(false);
    await box(view).press('Enter');
    expect(await view.nextPost('ask')).toEqual({
      type: 'ask',
      question: 'What does @internal/parse-options.js do and @x',
      mentions: [files[1]],
    });
    expect(view.troubles).toEqual([]);
  });

  test('a click chooses too, a mention that was deleted is not sent, an address is none', async () => {
    const view = await pages.open({ state: viewState() });
    await box(view).pressSequentially('me@example @t');
    expect((await view.posts()).filter((post) => post.type === 'findFiles' && post.query.startsWith('e'))).toEqual([]);
    await view.push({ type: 'fileMatches', query: 't', files });
    await view.page.getByRole('option').nth(2).click();
    expect(await box(view).inputValue()).toBe('me@example @test/parse.js ');
    await box(view).fill('me@example');
    await box(view).press('Enter');
    expect(await view.nextPost('ask')).toEqual({ type: 'ask', question: 'me@example', mentions: [] });
  });
});

describe('what is sent along', () => {
  test('chips are shown, taken out and restored', async () => {
    const many = Array.from({ length: 9 }, (_, index) => ({
      ...context[2]!,
      id: `open ${index}`,
      path: `src/file${index}.ts`,
    }));
    const view = await pages.open({ state: viewState({ context: [...context, ...many] }) });
    const chips = view.page.locator('.chip');
    expect(await chips.locator('.chip-name').allInnerTexts()).toEqual([
      'parse.js:10–24',
      'parse.js',
      'range.js',
      'file0.ts',
    ]);
    expect(await chips.nth(1).getAttribute('title')).toBe('Active file: functions/parse.js (unsaved)');
    await button(view, 'and 8 more').click();
    expect(await chips.count()).toBe(12);
    await button(view, 'Don’t send functions/parse.js:10–24').click();
    expect(await view.nextPost('removeContext')).toEqual({ type: 'removeContext', id: 'selection' });
    await view.push({ type: 'context', context: context.slice(1), switches: viewState().switches });
    await button(view, 'Restore').click();
    await view.nextPost('restoreContext');
    await view.push({ type: 'context', context: [], switches: viewState().switches });
    expect(await view.page.locator('.context-chips').isVisible()).toBe(false);
  });

  test('the switches show the state and turn it', async () => {
    const view = await pages.open({ state: viewState() });
    const adapter = view.page.getByRole('checkbox', { name: 'Adapter' });
    const evidence = view.page.getByRole('checkbox', { name: 'Evidence' });
    expect([await adapter.getAttribute('aria-checked'), await evidence.getAttribute('aria-checked')]).toEqual([
      'true',
      'false',
    ]);
    await adapter.click();
    expect(await view.nextPost('setSwitch')).toEqual({ type: 'setSwitch', name: 'adapter', on: false });
    await evidence.press('Space');
    expect(await view.nextPost('setSwitch')).toEqual({ type: 'setSwitch', name: 'evidence', on: true });
    await view.push({ type: 'context', context: [], switches: { adapter: true, evidence: false, openFiles: false } });
    // The toolkit's boxes follow with the next frame.
    await expect.poll(() => adapter.getAttribute('aria-checked')).toBe('true');
    await expect.poll(() => evidence.getAttribute('aria-checked')).toBe('false');
    expect((await view.posts()).filter(({ type }) => type === 'setSwitch')).toHaveLength(2);
  });
});

describe('a reload of the page', () => {
  test('keeps draft, mentions, the tab and what was opened; all else comes from the extension', async () => {
    const state = viewState({}, [finishedTurn]);
    const view = await pages.open({ state });
    await view.page.getByText('What the model was shown').click();
    await box(view).pressSequentially('see @p');
    await view.push({ type: 'fileMatches', query: 'p', files });
    await box(view).press('Tab');
    await view.page.getByRole('tab', { name: /Absorption/ }).click();
    await expect.poll(() => view.page.evaluate(() => sessionStorage.getItem('kept'))).toContain('"tab":"absorption"');
    await view.page.reload();
    expect((await view.posts()).map(({ type }) => type)).toEqual(['ready']);
    await view.push({ type: 'state', state });
    expect(await view.page.getByRole('tab', { selected: true }).innerText()).toContain('Absorption');
    await view.page.getByRole('tab', { name: 'Conversation' }).click();
    expect(await view.page.locator('.shown').evaluate((node) => (node as HTMLDetailsElement).open)).toBe(true);
    expect(await box(view).inputValue()).toBe('see @functions/parse.js ');
    await box(view).press('Enter');
    expect((await view.nextPost('ask')).mentions).toEqual([files[0]]);
  });

  test('state of another shape does no harm', async () => {
    const view = await pages.open();
    for (const kept of [
      '7',
      '"x"',
      '[]',
      '{"draft":5,"mentions":[null,{"path":1}],"open":7,"scroll":{"top":"x"},"tab":"z"}',
    ]) {
      await view.page.evaluate((text) => sessionStorage.setItem('kept', text), kept);
      await view.page.reload();
      await view.push({ type: 'state', state: viewState({}, [finishedTurn]) });
      expect(await box(view).inputValue()).toBe('');
    }
    expect(view.troubles).toEqual([]);
  });
});
