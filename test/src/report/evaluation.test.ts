import { beforeEach, expect, it, vi } from 'vitest';
import type { EvalProgress, Evaluation } from '../../../protocol/host.ts';
import type { LiftContext } from '../../../src/lift-context.ts';
import { editor } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { activateEvaluation } = await import('../../../src/report/evaluation.ts');
const { activateReport } = await import('../../../src/report/report.ts');

const page: Evaluation = { html: '<p>what absorbing gives</p>', made: '2026-01-02T03:04:05Z' };
const run = (command: string) => editor.commands.get(command)!();
let requests: string[];
let last: Evaluation | null;

beforeEach(() => {
  requests = [];
  last = null;
  editor.messages.length = 0;
  editor.answers.length = 0;
  editor.panels.length = 0;
  editor.settings = {};
  const folder = {
    folder: { name: 'shop', uri: { path: '/shop' } },
    state: { folder: '/shop' },
    update: async () => {},
  };
  let tell: (progress: EvalProgress) => void = () => {};
  const host = {
    async request(method: string, params: object) {
      requests.push(`${method} ${JSON.stringify(params)}`);
      if (method === 'eval/last') return { evaluation: last };
      tell({ folder: '/elsewhere', stage: 'training', name: 'other', done: 0.1 });
      tell({ folder: '/shop', stage: 'training', name: 'lift', done: 0.5 });
      return page;
    },
    onNotification(_: string, listener: (progress: EvalProgress) => void) {
      tell = listener;
      return { dispose: () => undefined };
    },
  };
  const folders = { all: [folder], onDidChange: () => ({ dispose: () => undefined }) };
  const context = { extension: { subscriptions: [] }, host, folders } as unknown as LiftContext;
  activateEvaluation(context);
  activateReport(context);
});

it('evaluates once the user has agreed, tells how far it is, and shows a page without scripts', async () => {
  editor.answers.push('Evaluate');
  await run('lift.evaluate');
  expect(requests).toEqual(['eval/run {"folder":"/shop","minutes":3}']);
  expect(editor.messages).toEqual(['Evaluate shop?', 'Training: lift, 50 %']);
  expect(editor.panels).toMatchObject([
    { title: 'Evaluation: shop', options: { enableScripts: false }, webview: { html: page.html } },
  ]);
});

it('trains no longer than an absorption would', async () => {
  editor.settings = { 'lift.budgetMinutes': 0.5 };
  editor.answers.push('Evaluate');
  await run('lift.evaluate');
  expect(requests).toEqual(['eval/run {"folder":"/shop","minutes":0.5}']);
});

it('trains nothing without a yes', async () => {
  await run('lift.evaluate');
  expect(requests).toEqual([]);
  expect(editor.panels).toEqual([]);
});

it('the report shows the last evaluation where there is one', async () => {
  last = page;
  editor.answers.push('What absorbing gives');
  await run('lift.showReport');
  expect(editor.listed[1]).toMatch(/What absorbing gives/);
  expect(editor.panels).toMatchObject([{ title: 'Evaluation: shop', webview: { html: page.html } }]);
});
