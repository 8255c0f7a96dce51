import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { activateDiagnostics, diagnosticsText } from '../../src/diagnostics.ts';
import { fakeContext } from './fake-context.ts';
import { editor, openWindow, Uri } from './fake-vscode.ts';

vi.mock('vscode', () => import('./fake-vscode.ts'));

let logs = '';
beforeAll(() => {
  logs = mkdtempSync(join(tmpdir(), 'lift-logs-'));
  const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`);
  const last = `[warning] cannot read ${homedir()}/payroll/salary.ts: "Ann earns 7"\n\`\`\`\npassword=hunter2`;
  writeFileSync(join(logs, 'LIFT.log'), `${lines.join('\n')}\n${last}\n`);
});
afterAll(() => rmSync(logs, { recursive: true }));

function open() {
  openWindow('/repositories/payroll');
  const fake = fakeContext();
  const packageJSON = {
    version: '1.2.3',
    contributes: { configuration: { properties: { 'lift.model': {}, 'lift.exclude': {}, 'lift.device': {} } } },
  };
  Object.assign(fake.context.extension, { logUri: Uri.file(logs), extension: { packageJSON } });
  return fake;
}

describe('diagnostics', () => {
  beforeEach(() => openWindow('/repositories/payroll'));

  it('say what is needed to help, and nothing of what is private', async () => {
    const { context, host, folders } = open();
    Object.assign(editor.settings, {
      'lift.model': '/repositories/payroll/models/x',
      'lift.exclude': ['payroll/**', 'b'],
    });
    Object.assign(host.state, {
      phase: 'failed',
      message: 'cannot open /repositories/payroll/models/x: no config.json',
    });
    Object.assign(folders.all[0]!.state, {
      message: 'reading "salary.ts" failed',
      skipped: [
        { path: 'payroll/a.bin', reason: 'binary' },
        { path: 'payroll/b.bin', reason: 'binary' },
        { path: 'payroll/.env', reason: 'secret: key of payroll' },
      ],
    });
    const text = await diagnosticsText(context);
    expect(text).not.toMatch(/payroll|salary|\bAnn\b|hunter2/i);
    expect(text).not.toContain(homedir());
    expect(text).toContain('extension: 1.2.3');
    expect(text).toContain('Fake Code 1.139.1');
    expect(text).toContain('state: failed');
    expect(text).toContain('skipped: 2 × binary, 1 × secret');
    expect(text).toContain('lift.model: <folder 1>/…');
    expect(text).toContain('lift.exclude: 2 entries');
    expect(text).not.toContain('lift.device');
    expect(text).toContain('line 299');
    expect(text).not.toContain('line 50\n');
    expect(text.match(/^```$/gm)).toHaveLength(2 * text.match(/^## /gm)!.length);
  });

  it('are copied, and shown if the user wants to look through them', async () => {
    const { context } = open();
    activateDiagnostics(context);
    await (editor.commands.get('lift.copyDiagnostics') as () => Promise<void>)();
    expect(editor.clipboard).toContain('## Versions');
    expect(editor.opened).toEqual([]);
    editor.answers.push('Show');
    await (editor.commands.get('lift.copyDiagnostics') as () => Promise<void>)();
    expect(editor.opened[0]!.text).toBe(editor.clipboard);
  });

  it('do without a log', async () => {
    const { context } = open();
    Object.assign(context.extension, { logUri: Uri.file('/nowhere') });
    expect(await diagnosticsText(context)).toContain('no log');
  });
});
