// More than one window on a folder, and more than one folder in a window.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Lab } from './driver/lab.ts';
import { stepsIn } from './driver/steps.ts';
import type { Workbench } from './driver/workbench.ts';
import { writeInto, writeSmallRepository } from './driver/workspaces.ts';

// Below five minutes, from which on the first absorption asks.
const settings = { 'lift.budgetMinutes': 4, 'lift.autoAbsorb': 'off', 'security.workspace.trust.enabled': false };

describe('two windows on one folder', () => {
  let lab: Lab;
  let first: Workbench;
  let second: Workbench;

  beforeAll(async () => {
    lab = await Lab.open({ name: 'two-windows', settings });
    const folder = lab.folder('semver');
    writeSmallRepository(folder);
    first = await lab.window(folder);
    await first.lift.show();
    second = await lab.window(folder);
    await second.lift.show();
  });
  afterAll(() => lab?.close());

  const step = stepsIn(() => lab);

  step('one of them absorbs, the other one waits and says so', async () => {
    await first.page.bringToFront();
    await first.lift.button('Absorb workspace').click();
    await first.untilStatus(/^LIFT (\d\/\d|\d+ ?%)/, 120);
    await second.page.bringToFront();
    await second.lift.button('Absorb workspace').click();
    await second.lift.showTab('Absorption');
    await second.lift
      .folder('semver')
      .getByText(/Another window is absorbing this folder/)
      .waitFor();
    expect(lab.nativeHosts()).toHaveLength(2);
  });

  step('both answer meanwhile', async () => {
    await second.lift.showTab('Conversation');
    expect((await second.lift.answerTo('Where is parseOptions defined?')).phase).toBe('done');
    await first.page.bringToFront();
    expect((await first.lift.answerTo('Where is parseOptions defined?')).phase).toBe('done');
  });

  step('what the first has learned is the second’s, too', async () => {
    await first.lift.showTab('Absorption');
    await first.lift.folder('semver').getByRole('button', { name: 'Stop' }).click();
    await first.lift
      .folder('semver')
      .getByText(/version \d/)
      .waitFor();
    await second.page.bringToFront();
    await second.lift.showTab('Absorption');
    // It was asked to absorb as well, and goes on where the first one ended.
    await second.lift.folder('semver').getByRole('button', { name: 'Stop' }).click();
    await second.lift
      .folder('semver')
      .getByText(/version \d/)
      .waitFor();
    await second.lift.showTab('Conversation');
    expect((await second.lift.answerTo('Where is parseOptions defined?')).note).toMatch(/Adapter version \d/);
  });
});

describe('two folders in one window', () => {
  let lab: Lab;
  let window: Workbench;

  beforeAll(async () => {
    lab = await Lab.open({ name: 'multi-root', settings: { ...settings, 'lift.budgetMinutes': 0.3 } });
    const semver = lab.folder('semver');
    writeSmallRepository(semver);
    const harbour = lab.folder('harbour');
    writeInto(harbour, 'berths.js', '/** How many berths the harbour has. */\nexport const BERTH_COUNT = 42;\n');
    writeInto(harbour, '.vscode/settings.json', '{ "lift.budgetMinutes": 0.1 }\n');
    const workspace = join(lab.folder('workspace'), 'both.code-workspace');
    writeFileSync(workspace, JSON.stringify({ folders: [{ path: semver }, { path: harbour }] }));
    window = await lab.window(workspace);
    await window.lift.show();
  });
  afterAll(() => lab?.close());

  const step = stepsIn(() => lab);

  step('absorbs one after the other, each into an adapter of its own', async () => {
    await window.command('LIFT: Absorb Workspace');
    await window.lift.showTab('Absorption');
    // Whichever the host has looked at first begins.
    const names = ['semver', 'harbour'];
    await Promise.any(names.map((name) => window.lift.folder(name).getByText('Waits for another folder.').waitFor()));
    for (const name of names) {
      await window.lift.folder(name).getByText('version 1').waitFor({ timeout: 180_000 });
    }
    expect(lab.nativeHosts()).toHaveLength(1);
  });

  step('answers from the folder of the file in front', async () => {
    await window.openFile('berths.js');
    await window.lift.showTab('Conversation');
    await window.lift.answerTo('What is the value of BERTH_COUNT?');
    await window.lift.lastTurn.getByText(/What the model was shown/).click();
    expect(await window.lift.lastTurn.locator('.shown').innerText()).toContain('berths.js');
  });

  step('evaluates one of them for no longer than it may absorb, and shows what absorbing gives', async () => {
    await window.command('LIFT: Evaluate…');
    await window.quickPickRows().filter({ hasText: 'harbour' }).first().click();
    await window.dialog().getByRole('button', { name: 'Evaluate', exact: true }).click();
    const page = window.editorPage();
    await page.getByRole('heading', { name: 'What lift-base knows of harbour' }).waitFor({ timeout: 180_000 });
    const arms = await page.locator('table').first().innerText();
    for (const arm of ['base', 'lift']) expect(arms).toMatch(new RegExp(`^${arm}\\s`, 'm'));
    expect(await page.locator('svg').count()).toBeGreaterThan(0);
  });
});
