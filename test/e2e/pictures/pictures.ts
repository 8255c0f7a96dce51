// Takes the pictures of the extension that its page in the marketplace shows, into media/screenshots. Run by `npm run pictures`;
// whoever runs it looks at them before committing them.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { Lab } from '../driver/lab.ts';
import { stepsIn } from '../driver/steps.ts';
import { until } from '../driver/until.ts';
import type { Workbench } from '../driver/workbench.ts';
import { copyPackage } from '../driver/workspaces.ts';

const screenshots = resolve('media', 'screenshots');

/** So many that the embedded model knows the files well. */
const minutes = Number(process.env.LIFT_E2E_MINUTES ?? 5);

/** A quiet window: what is not the extension is left out where that can be. */
const settings = {
  'lift.budgetMinutes': minutes,
  'lift.autoAbsorb': 'off',
  'security.workspace.trust.enabled': false,
  'remote.autoForwardPorts': false,
  'chat.disableAIFeatures': true,
  'window.commandCenter': false,
  'workbench.layoutControl.enabled': false,
  'workbench.tips.enabled': false,
  'editor.minimap.enabled': false,
  'editor.lightbulb.enabled': 'off',
  'workbench.colorTheme': 'Light 2026',
};

let lab: Lab;
let window: Workbench;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  lab = await Lab.open({ name: 'pictures', settings, viewport: { width: 1160, height: 720 }, pixelsPerPoint: 1.5 });
  const folder = lab.folder('semver');
  copyPackage('semver', folder);
  for (const entry of readdirSync(folder)) {
    if (!['internal', 'functions', 'package.json', 'LICENSE'].includes(entry))
      rmSync(join(folder, entry), { recursive: true });
  }
  window = await lab.window(folder);
  await window.lift.show();
  await resizeSidebar(360);
});
afterAll(() => lab?.close());

const step = stepsIn(() => lab);

/** Drags the border of the side bar until it is so wide, in CSS pixels. */
async function resizeSidebar(width: number): Promise<void> {
  const sidebar = window.page.locator('[id="workbench.parts.sidebar"]');
  for (let attempt = 0; attempt < 3; attempt++) {
    const box = (await sidebar.boundingBox())!;
    const [x, y] = [box.x + box.width, box.y + box.height / 2];
    await window.page.mouse.move(x, y);
    await window.page.mouse.down();
    await window.page.mouse.move(box.x + width, y, { steps: 10 });
    await window.page.mouse.up();
    if (Math.abs((await sidebar.boundingBox())!.width - width) <= 1) return;
  }
}

async function pictureOfWindow(name: string): Promise<void> {
  await rest();
  await window.page.screenshot({ path: join(screenshots, `${name}.png`) });
}

/** A picture of the side bar alone, from its top. `height` in CSS pixels; all of it without. */
async function pictureOfSidebar(file: string, height?: number): Promise<void> {
  await rest();
  const box = (await window.page.locator('[id="workbench.parts.sidebar"]').boundingBox())!;
  await window.page.screenshot({ path: file, clip: { ...box, height: Math.min(height ?? box.height, box.height) } });
}

/** The pointer out of the way, so that no tooltip shows, and animations over. */
async function rest(): Promise<void> {
  await window.page.mouse.move(800, 560);
  await window.page.waitForTimeout(1500);
}

/** Chooses a colour theme by its name in the list of themes. */
async function changeTheme(name: string, bodyClass: RegExp): Promise<void> {
  await window.command('Preferences: Color Theme');
  await window.page.locator('.quick-input-widget input.input').fill(name);
  await window
    .quickPickRows()
    .filter({ has: window.page.getByText(name, { exact: true }) })
    .first()
    .click();
  const root = window.page.locator('.monaco-workbench').first();
  await until(`the theme ${name}`, async () => bodyClass.test((await root.getAttribute('class')) ?? ''));
}

describe('pictures', () => {
  step('an absorption under way', async () => {
    await window.lift.button('Absorb workspace').click();
    await window.lift.showTab('Absorption');
    await window.page.waitForTimeout(minutes * 35_000);
    await pictureOfSidebar(join(screenshots, 'absorbing.png'), 480);
    await window.untilAbsorbed(minutes * 60 + 300);
  });

  step('what is absorbed', async () => {
    await window.lift.document.getByText('Absorbed by folder').waitFor();
    await pictureOfSidebar(join(screenshots, 'absorbed.png'));
  });

  step('answers', async () => {
    await window.lift.showTab('Conversation');
    await window.lift.answerTo('What is the value of MAX_LENGTH?');
    await window.lift.answerTo('Where is parseOptions defined?');
    await window.lift.lastTurn.locator('.answer a').first().click();
    await until('the file in front', async () => (await window.activeEditor()) === 'parse-options.js');
    // Other extensions read the file, too, and say so for a while.
    await window.page.waitForTimeout(15_000);
  });

  for (const [name, theme, bodyClass] of [
    ['light', 'Light 2026', /\bvs /],
    ['dark', 'Dark 2026', /\bvs-dark\b/],
    ['high-contrast', 'Dark High Contrast', /\bhc-black\b/],
  ] as const) {
    step(`the theme ${name}`, async () => {
      await changeTheme(theme, bodyClass);
      await pictureOfWindow(name);
    });
  }

  step('260 pixels wide', async () => {
    await changeTheme('Dark 2026', /\bvs-dark\b/);
    await resizeSidebar(260);
    await pictureOfSidebar(join(screenshots, 'narrow.png'));
    await window.lift.showTab('Absorption');
    await pictureOfSidebar(join(screenshots, 'narrow-absorption.png'));
  });
});
