import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FolderState } from '../../protocol/view.ts';
import { startViewPages, type ViewPage, type ViewPages } from './view-page.ts';
import { absorbedFolder, absorbingFolder, host, newFolder, viewState } from './view-states.ts';

let pages: ViewPages;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

async function open(...folders: FolderState[]): Promise<ViewPage> {
  const view = await pages.open({ state: viewState({ folders }) });
  await view.page.getByRole('tab', { name: /Absorption/ }).click();
  return view;
}

const panel = (view: ViewPage) => view.page.locator('.absorption');

describe('the absorption panel', () => {
  const actions: [string, Partial<FolderState>, string[]][] = [
    ['never looked at', { ...newFolder, phase: 'unknown' }, ['absorb']],
    ['not absorbed', newFolder, ['absorb']],
    ['idle', absorbedFolder, ['refresh']],
    ['waiting', { ...absorbedFolder, phase: 'waiting' }, ['stop']],
    ['busy', absorbingFolder, ['pause', 'stop']],
    ['paused', { ...absorbingFolder, phase: 'paused' }, ['resume', 'stop']],
    ['failed', { ...absorbedFolder, phase: 'failed' }, ['absorb']],
    ['elsewhere', { ...absorbedFolder, phase: 'elsewhere' }, []],
  ];
  test.each(actions)('%s: the buttons that apply', async (_name, change, expected) => {
    const view = await open({ ...absorbedFolder, ...change });
    const buttons = view.page.locator('.folder > .buttons vscode-button:not(:text("Show log"))');
    for (const one of await buttons.all()) await one.click();
    const posted = (await view.posts()).flatMap((post) => (post.type === 'absorption' ? [post.action] : []));
    expect(posted).toEqual(expected);
    expect(view.troubles).toEqual([]);
  });

  test('shows progress, and moves on with it', async () => {
    const view = await open(absorbingFolder);
    const bar = view.page.getByRole('progressbar', { name: 'Absorption' });
    expect(await bar.getAttribute('aria-valuenow')).toBe('42');
    expect(await bar.getAttribute('aria-valuetext')).toBe(
      'Training · 42 % · 3 minutes left · 41 files · 2,310 tokens/s',
    );
    const progress = {
      ...absorbingFolder.progress!,
      phase: 'scan',
      done: null,
      secondsLeft: null,
      tokensPerSecond: null,
    };
    await view.push({ type: 'folders', host, folders: [{ ...absorbingFolder, progress }] });
    expect(await bar.getAttribute('aria-valuenow')).toBe(null);
    expect(await bar.getAttribute('aria-valuetext')).toBe('Reading files · 41 files');
    await view.push({ type: 'folders', host, folders: [absorbedFolder] });
    expect(await bar.count()).toBe(0);
    expect(await view.page.locator('[role="status"]').textContent()).toBe('semver: 3 files changed');
  });

  test('progress does not take the focus from a button', async () => {
    const view = await open(absorbingFolder);
    const pause = view.page.getByRole('button', { name: 'Pause' });
    await pause.focus();
    for (let done = 0.43; done < 0.5; done += 0.01) {
      const progress = { ...absorbingFolder.progress!, done };
      await view.push({ type: 'folders', host, folders: [{ ...absorbingFolder, progress }] });
    }
    await view.page.keyboard.press('Enter');
    expect(await view.nextPost('absorption')).toMatchObject({ action: 'pause' });
    await view.push({ type: 'folders', host, folders: [{ ...absorbingFolder, phase: 'paused' }] });
    await view.page.keyboard.press('Enter');
    expect(await view.nextPost('absorption')).toMatchObject({ action: 'resume' });
  });

  test('draws the loss with axes and says the same in words', async () => {
    const view = await open({
      ...absorbedFolder,
      losses: [
        { step: 1, loss: 4 },
        { step: 5, loss: 2 },
        { step: 10, loss: 0.5 },
      ],
    });
    const curve = view.page.getByRole('img', { name: 'Loss by step: 4.00 at step 1, 0.50 at step 10' });
    expect(await curve.locator('text').allTextContents()).toEqual(['0', '2', '4', 'step 1', '10']);
    const width = await curve.evaluate((node) => node.clientWidth);
    expect(await curve.locator('.curve').getAttribute('d')).toMatch(/^M32\.0 8\.0L/);
    await view.page.setViewportSize({ width: 260, height: 700 });
    await expect.poll(() => curve.evaluate((node) => node.clientWidth)).toBe(width - 120);
    await view.push({ type: 'folders', host, folders: [{ ...absorbedFolder, losses: [{ step: 1, loss: 4 }] }] });
    expect(await curve.isVisible()).toBe(false);
    await view.push({
      type: 'folders',
      host,
      folders: [
        {
          ...absorbedFolder,
          losses: [
            { step: 1, loss: 0 },
            { step: 1, loss: 0 },
          ],
        },
      ],
    });
    expect(view.troubles).toEqual([]);
  });

  test('shows the share of each folder, and more on asking', async () => {
    const byFolder = Array.from({ length: 30 }, (_, index) => ({
      path: `part${index}`,
      tokens: 3000 - index,
      absorbed: 0.999 - index / 100,
      dirty: index % 2,
    }));
    const view = await open({ ...absorbedFolder, byFolder });
    const rows = view.page.locator('.shares li');
    expect(await rows.count()).toBe(8);
    expect(await rows.nth(0).innerText()).toMatch(/part0\/\s*99 %/);
    expect(await rows.nth(1).innerText()).toMatch(/part1\/\s*● 1\s*changed\s*98 %/);
    await view.page.getByRole('button', { name: 'and 22 more' }).click();
    expect(await rows.count()).toBe(30);
  });

  test('shows the share of each package that has an adapter, and whose turn it is', async () => {
    const byPackage = [
      { path: 'packages/core', tokens: 3000, absorbed: 0.97, dirty: 0 },
      { path: '.', tokens: 20, absorbed: 0.5, dirty: 1 },
    ];
    const view = await open({ ...absorbedFolder, byPackage });
    const rows = view.page.locator('.shares', { hasText: 'Adapters by package' }).locator('li');
    expect(await rows.count()).toBe(2);
    expect(await rows.nth(0).innerText()).toMatch(/^packages\/core\s*97 %/);
    expect(await rows.nth(1).innerText()).toMatch(/^in no package\s*● 1\s*changed\s*50 %/);
    expect(await panel(view).innerText()).toMatch(/Adapter\s+one for each package, 16 MB/);
    const progress = { ...absorbingFolder.progress!, package: 'packages/core' };
    await view.push({ type: 'folders', host, folders: [{ ...absorbingFolder, byPackage, progress }] });
    expect(await view.page.locator('.progress-text').innerText()).toMatch(/^packages\/core · Training/);
    await view.push({ type: 'folders', host, folders: [absorbedFolder] });
    expect(await view.page.getByText('Adapters by package').isVisible()).toBe(false);
  });

  test('lists 20,000 skipped files by reason, a part at a time', async () => {
    const skipped = Array.from({ length: 20_000 }, (_, index) => ({
      path: `assets/${index}.png`,
      reason: index % 10 === 0 ? 'larger than 1 MB' : 'binary',
    }));
    const view = await open({ ...absorbedFolder, skipped });
    await view.page.getByText('20,000 files left out').click();
    expect(await view.page.locator('.skipped li').count()).toBe(0);
    await view.page.getByText('larger than 1 MB (2,000)').click();
    await expect.poll(() => view.page.locator('.skipped li').count()).toBe(100);
    await view.page.getByRole('button', { name: 'and 1,900 more' }).click();
    await expect.poll(() => view.page.locator('.skipped li').count()).toBe(200);
    await view.push({ type: 'folders', host, folders: [{ ...absorbedFolder, skipped: [...skipped] }] });
    expect(await view.page.locator('.skipped li').count()).toBe(200);
  });

  test('tells the adapter, the model, the device and the memory, and runs commands', async () => {
    const view = await open(absorbedFolder);
    expect((await panel(view).innerText()).replace(/\s+/g, ' ')).toMatch(
      /Corpus 64 files, 88,214 tokens Adapter version 7, 16 MB Absorbed 1\d minutes ago, at commit 3f9c2b7e .*Model lift-base Device cpu Memory 412 MB State ready/,
    );
    const labels = ['Select model', 'Select device', 'Manage adapters', 'Show report', 'Show log', 'Settings'];
    for (const label of labels) await view.page.getByRole('button', { name: label }).click();
    const commands = (await view.posts()).flatMap((post) => (post.type === 'runCommand' ? [post.command] : []));
    expect(commands).toEqual([
      'lift.selectModel',
      'lift.selectDevice',
      'lift.manageAdapters',
      'lift.showReport',
      'lift.showLog',
      'lift.openSettings',
    ]);
  });

  test('several folders: each its own section, which can be closed; one that went goes', async () => {
    const second = { ...newFolder, folder: '/projects/second', name: 'second' };
    const view = await open(absorbedFolder, second);
    const names = view.page.locator('.folder-name');
    expect(await names.allInnerTexts()).toEqual(['semver', 'second']);
    await names.nth(0).click();
    await view.push({ type: 'folders', host, folders: [absorbedFolder, second] });
    expect(
      await view.page.locator('.folder').evaluateAll((all) => all.map((one) => (one as HTMLDetailsElement).open)),
    ).toEqual([false, true]);
    await view.push({ type: 'folders', host, folders: [second] });
    expect(await names.allInnerTexts()).toEqual(['second']);
    await view.push({ type: 'folders', host: { ...host, phase: 'noFolder' }, folders: [] });
    expect(await panel(view).innerText()).toContain('No folder is open.');
  });
});
