// What breaks in the middle: the host is killed, the window is reloaded, while it absorbs and while it answers. Everything goes
// on, and nothing is lost.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Lab } from './driver/lab.ts';
import { stepsIn } from './driver/steps.ts';
import { until } from './driver/until.ts';
import type { Workbench } from './driver/workbench.ts';
import { writeSmallRepository } from './driver/workspaces.ts';

let lab: Lab;
let window: Workbench;

beforeAll(async () => {
  lab = await Lab.open({
    name: 'interruptions',
    settings: { 'lift.budgetMinutes': 60, 'lift.autoAbsorb': 'off', 'security.workspace.trust.enabled': false },
  });
  const folder = lab.folder('semver');
  writeSmallRepository(folder);
  window = await lab.window(folder);
  await window.lift.show();
});
afterAll(() => lab?.close());

const step = stepsIn(() => lab);

/** The last step that the page's loss curve shows; null while it shows none. */
async function shownStep(): Promise<number | null> {
  const curve = window.lift.folder('semver').locator('svg.loss-curve');
  const text = (await curve.isVisible()) ? await curve.getAttribute('aria-label') : null;
  return text === null ? null : Number(/at step ([\d,]+)$/.exec(text)![1]!.replaceAll(',', ''));
}

/** Waits until training goes on; gives the first step that the page shows then. Before it, nothing trains. */
async function firstNewStep(): Promise<number> {
  const before = await shownStep();
  const hasChanged = async () => {
    const now = await shownStep();
    return now !== null && now !== before && now;
  };
  return until('training to go on', hasChanged, 180);
}

/** The steps of the checkpoints on disk, oldest first. */
function checkpointSteps(): number[] {
  const store = lab.server.globalStorage;
  const manifest = readdirSync(store, { recursive: true, encoding: 'utf8' }).find((file) =>
    file.endsWith('manifest.json'),
  );
  if (manifest === undefined) return [];
  const content = JSON.parse(readFileSync(join(store, manifest), 'utf8')) as {
    manifest: { checkpoints: { step: number }[] };
  };
  return content.manifest.checkpoints.map((checkpoint) => checkpoint.step);
}

/** Waits for a checkpoint after that step; gives its step. */
function checkpointAfter(least: number): Promise<number> {
  return until('a checkpoint', () => checkpointSteps().find((at) => at > least), 180);
}

async function theOnlyHost(): Promise<number> {
  return await until('one host', () => lab.nativeHosts().length === 1 && lab.nativeHosts()[0]);
}

describe('while it absorbs', () => {
  let checkpoint: number;
  let host: number;

  step('begins', async () => {
    await window.lift.button('Absorb workspace').click();
    await window.lift.showTab('Absorption');
    checkpoint = await checkpointAfter(0);
    host = await theOnlyHost();
  });

  step('a host that is killed comes back and trains on from its checkpoint', async () => {
    process.kill(host, 'SIGKILL');
    const next = await until('another host', () => lab.nativeHosts().find((pid) => pid !== host));
    expect(next).not.toBe(host);
    expect(await firstNewStep()).toBeGreaterThan(checkpoint);
  });

  step('a window that is reloaded goes on by itself', async () => {
    checkpoint = await checkpointAfter(checkpoint);
    await window.reload();
    await window.lift.show();
    await window.lift.showTab('Absorption');
    expect(await firstNewStep()).toBeGreaterThan(checkpoint);
    await theOnlyHost();
  });

  step('pause outlives a reload, and resume goes on', async () => {
    await window.lift.folder('semver').getByRole('button', { name: 'Pause' }).click();
    await window.lift.folder('semver').getByRole('button', { name: 'Resume' }).waitFor();
    await window.reload();
    await window.lift.show();
    await window.lift.showTab('Absorption');
    await window.lift
      .folder('semver')
      .getByText(/^Paused/)
      .waitFor();
    await window.lift.folder('semver').getByRole('button', { name: 'Resume' }).click();
    expect(await firstNewStep()).toBeGreaterThan(checkpoint);
  });

  step('stop keeps what was learned', async () => {
    await window.lift.folder('semver').getByRole('button', { name: 'Stop' }).click();
    await window.lift
      .folder('semver')
      .getByText(/version \d/)
      .waitFor();
    // What was never visited shows as changed.
    expect(await window.untilAbsorbed(60)).toMatch(/^LIFT [1-9]\d* ?%( ●\d+)?$/);
  });
});

describe('while it answers', () => {
  step('a host that is killed is started again, and the question is answered', async () => {
    await window.lift.showTab('Conversation');
    const host = await theOnlyHost();
    // A host that stands still has the question and cannot have answered it.
    process.kill(host, 'SIGSTOP');
    await window.lift.ask('Where is parseOptions defined?');
    process.kill(host, 'SIGKILL');
    expect(await window.lift.finishedAnswer()).toMatchObject({ phase: 'done', text: expect.stringMatching(/\S/) });
    expect(await theOnlyHost()).not.toBe(host);
  });

  step('a window that is reloaded says that the answer was cut off, and asks again', async () => {
    const host = await theOnlyHost();
    process.kill(host, 'SIGSTOP');
    await window.lift.ask('Where is compareIdentifiers defined?');
    await window.reload();
    await window.lift.show();
    await window.lift.showTab('Conversation');
    await until('both turns', async () => (await window.lift.turns.count()) === 2);
    const cutOff = await window.lift.finishedAnswer();
    expect(cutOff.phase).toBe('stopped');
    expect(cutOff.note).toMatch(/reloaded/);
    await window.lift.lastTurn.getByRole('button', { name: 'Ask again' }).click();
    await until('another answer', async () => (await window.lift.lastTurn.getAttribute('data-phase')) !== 'stopped');
    expect((await window.lift.finishedAnswer()).phase).toBe('done');
    expect(await window.lift.turns.count()).toBe(2);
  });

  step('leaves no host behind', async () => {
    await theOnlyHost();
    await window.page.goto('about:blank');
    await until('all hosts to end', () => lab.nativeHosts().length === 0, 60);
  });
});
