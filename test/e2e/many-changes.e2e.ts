// A large repository: it asks before it begins, and thousands of files that change at once are noticed without the window
// standing still.
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Lab } from './driver/lab.ts';
import { stepsIn } from './driver/steps.ts';
import type { Workbench } from './driver/workbench.ts';
import { writeManyFiles } from './driver/workspaces.ts';

const files = 5000;

let lab: Lab;
let folder: string;
let window: Workbench;

beforeAll(async () => {
  lab = await Lab.open({
    name: 'many-changes',
    settings: { 'lift.budgetMinutes': 0.3, 'lift.autoAbsorb': 'off', 'security.workspace.trust.enabled': false },
  });
  folder = lab.folder('generated');
  writeManyFiles(folder, files, 1);
  window = await lab.window(folder);
  await window.lift.show();
});
afterAll(() => lab?.close());

const step = stepsIn(() => lab);

describe('5,000 files', () => {
  step('asks first, with files, tokens, time and disk', async () => {
    await window.lift.button('Absorb workspace').click();
    await window.dialog().waitFor({ timeout: 180_000 });
    const text = await window.dialog().innerText();
    expect(text).toMatch(/5,000 files with [\d,.]+ ?\w* tokens/);
    expect(text).toMatch(/It takes about .+ of disk/);
    await window.dialog().getByRole('button', { name: 'Absorb' }).click();
  });

  step('stops when its time is spent, and says honestly how little it knows', async () => {
    expect(await window.untilAbsorbed(240)).toMatch(/^LIFT \d+ ?%/);
  });

  step('notices that all of them have changed at once', async () => {
    writeManyFiles(folder, files, 2);
    await window.untilStatus(/●5,000$/, 180);
    await window.lift.showTab('Absorption');
    await window.lift.folder('generated').getByText('5,000 files changed').waitFor();
  });

  step('still answers', async () => {
    await window.lift.showTab('Conversation');
    expect((await window.lift.answerTo('Where is part7 defined?')).phase).toBe('done');
  });
});
