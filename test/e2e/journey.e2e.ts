// The first hour with the extension, from installing it to seeing an answer change with the code. Each step follows from
// the one before it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Lab, minutesToLearn } from './driver/lab.ts';
import { stepsIn } from './driver/steps.ts';
import { until } from './driver/until.ts';
import type { Workbench } from './driver/workbench.ts';
import { addWhatMustStayOut, secretKey, smallRepositoryDocuments, writeSmallRepository } from './driver/workspaces.ts';

let lab: Lab;
let folder: string;
let window: Workbench;

beforeAll(async () => {
  lab = await Lab.open({
    name: 'journey',
    settings: { 'lift.budgetMinutes': minutesToLearn, 'lift.autoAbsorb': 'off' },
  });
  folder = lab.folder('semver');
  writeSmallRepository(folder);
  addWhatMustStayOut(folder);
  window = await lab.window(folder);
});
afterAll(() => lab?.close());

const step = stepsIn(() => lab);

describe('from installing to an answer that follows the code', () => {
  step('does nothing in a workspace that is not trusted, and says why', async () => {
    await window.lift.show();
    await window.lift.document.getByText('This workspace is not trusted').waitFor();
    await window.lift.button('Manage trust').waitFor();
    await window.command('LIFT: Absorb Workspace');
    await window.notifications().filter({ hasText: 'not trusted' }).waitFor();
    expect(lab.nativeHosts()).toEqual([]);
  });

  step('comes to life when the workspace is trusted, without starting its host', async () => {
    await window.trust();
    await window.lift.show();
    await window.lift.button('Absorb workspace').waitFor();
    expect(await window.statusText()).toBe('LIFT');
    expect(lab.nativeHosts()).toEqual([]);
  });

  step('absorbs a package while the status bar shows how far it is', async () => {
    await window.lift.button('Absorb workspace').click();
    await window.untilStatus(new RegExp(`^LIFT (\\d/${smallRepositoryDocuments}|\\d+ ?%)$`), 120);
    expect(lab.nativeHosts()).toHaveLength(1);
    expect(await window.untilAbsorbed(minutesToLearn * 60 + 120)).toMatch(/^LIFT \d+ ?%$/);
    await window.lift.document.getByText(/\d\d % absorbed · up to date/).waitFor();
  });

  step('shows what it left out, and why', async () => {
    await window.lift.showTab('Absorption');
    const section = window.lift.folder('semver');
    await section.getByText(/files left out$/).click();
    await section.locator('details[data-reason]').first().waitFor();
    for (const reason of await section.locator('details[data-reason]').all()) {
      if ((await reason.getAttribute('open')) === null) await reason.locator('summary').click();
    }
    const leftOut = ['.env', 'picture.png', 'program.bin', 'huge.js'];
    const text = await until(`the names ${leftOut.join(', ')}`, async () => {
      const shown = await section.locator('details.skipped').innerText();
      return leftOut.every((path) => shown.includes(path)) && shown;
    });
    expect(text).toMatch(/secret/i);
    expect(await section.innerText()).toContain(`${smallRepositoryDocuments} files`);
  });

  step('keeps the key out of everything that it wrote', () => {
    expect(lab.filesThatHold(secretKey)).toEqual([]);
  });

  step('answers, word by word, with a link to the place', async () => {
    await window.lift.showTab('Conversation');
    const answer = await window.lift.answerTo('Where is parseOptions defined?');
    expect(answer).toMatchObject({ phase: 'done', text: expect.stringContaining('internal/parse-options.js') });
    expect(answer.note).toContain('Adapter version 1');
  });

  step('opens the file at the line when the link is clicked', async () => {
    await window.lift.lastTurn.locator('.answer a').first().click();
    await until('the file in front', async () => (await window.activeEditor()) === 'parse-options.js');
    await until('the cited line', async () => /^Ln (6|16), /.test(await window.cursor()));
  });

  step('knows the value of a constant', async () => {
    expect((await window.lift.answerTo('What is the value of MAX_LENGTH?')).text).toContain('256');
  });

  step('shows an edited file as dirty, even before it is saved', async () => {
    await window.openFile('constants.js');
    const lines = readFileSync(join(folder, 'internal', 'constants.js'), 'utf8').split('\n');
    const line = lines.findIndex((text) => text.includes('MAX_LENGTH = 256')) + 1;
    await window.typeOverLine(line, 'const MAX_LENGTH = 512');
    await window.untilStatus(/●1$/);
    await window.save();
    await window.lift.showTab('Absorption');
    await window.lift.folder('semver').getByText('1 file changed').waitFor();
    await window.untilStatus(/●1$/);
  });

  step('refreshes with a click on the status bar', async () => {
    await window.status.click();
    await window.lift.folder('semver').getByText('version 2').waitFor({ timeout: 180_000 });
    expect(await window.untilAbsorbed(60)).toMatch(/^LIFT \d+ ?%$/);
  });

  step('answers with the new value', async () => {
    await window.lift.showTab('Conversation');
    expect((await window.lift.answerTo('What is the value of MAX_LENGTH?')).text).toContain('512');
  });

  step('asked no other machine for anything', () => {
    expect(lab.requestsElsewhere).toEqual([]);
  });
});
