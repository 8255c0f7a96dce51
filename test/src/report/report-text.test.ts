import { expect, it, vi } from 'vitest';
import type { CoverageEntry } from '../../../protocol/host.ts';
import type { FolderState, HostState } from '../../../protocol/view.ts';
import { folderState } from '../fake-context.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { reportText } = await import('../../../src/report/report-text.ts');

const host: HostState = { phase: 'ready', message: null, model: 'lift-base', device: 'cpu', memoryBytes: null };
const report = (more: Partial<FolderState>, documents: CoverageEntry[] = []) =>
  reportText(host, { ...folderState('/f', 'f'), ...more }, new Map(documents.map((entry) => [entry.path, entry])));

it('tells what is known by folder, least known files first, and what has changed', () => {
  const text = report({ absorbed: 0.8, byFolder: [{ path: 'src', tokens: 1200, absorbed: 0.8, dirty: 1 }] }, [
    { path: 'src/known.ts', tokens: 500, absorbed: 0.99, dirty: false },
    { path: 'src/new.ts', tokens: 700, absorbed: 0.1, dirty: false },
    { path: 'src/changed.ts', tokens: 10, absorbed: 0, dirty: true },
  ]);
  expect(text).toContain('| Absorbed | 80 % |');
  expect(text).not.toContain('How it is trained');
  expect(report({ recipe: 'LoRA of rank 64: a|b' })).toContain('| How it is trained | LoRA of rank 64: a\\|b |');
  expect(text).toContain('| `src` | ████████░░ 80 % | 1,200 | 1 |');
  expect(text.indexOf('`src/new.ts` | 10 %')).toBeGreaterThan(0);
  expect(text.indexOf('`src/new.ts`')).toBeLessThan(text.indexOf('`src/known.ts`'));
  expect(text).toContain('## Files changed since they were absorbed\n\n- `src/changed.ts`');
});

it('has a line for each package that has an adapter', () => {
  const shares = [
    { path: '.', tokens: 100, absorbed: 1, dirty: 0 },
    { path: 'packages/a', tokens: 1200, absorbed: 0.8, dirty: 1 },
  ];
  const text = report({ byPackage: shares, arrangement: 'An adapter for each of 1 packages' });
  expect(text).toContain('| Packages | An adapter for each of 1 packages |');
  expect(text).toContain('## Adapters by package');
  expect(text).toContain('| (in no package) | ██████████ 100 % | 100 | 0 |');
  expect(text).toContain('| `packages/a` | ████████░░ 80 % | 1,200 | 1 |');
  expect(report({})).not.toContain('Adapters by package');
});

it('lists what is left out with its reason, whatever the names hold, and never cuts without saying so', () => {
  const skipped = [
    { path: '.env', reason: 'a secret' },
    { path: 'a|b`c.txt', reason: 'binary | <b>' },
  ];
  const text = report({ skipped });
  expect(text).toContain('| `.env` | a secret |');
  expect(text).toContain('| `` a\\|b`c.txt `` | binary \\| \\<b\\> |');
  const many = report({ skipped: Array.from({ length: 2500 }, (_, index) => ({ path: `f${index}`, reason: 'r' })) });
  expect(many.match(/^\| `f\d+` \| r \|$/gm)).toHaveLength(2000);
  expect(many).toContain('… and 500 more.');
});

it('says so where nothing is absorbed and nothing left out', () => {
  const text = report({ version: null, absorbed: 0 });
  expect(text).toContain('| Absorbed | nothing yet |');
  expect(text).toContain('Nothing.');
  expect(text).not.toContain('## Loss');
});

it('tells the course of the loss in three points', () => {
  const losses = [9, 4, 2, 3].map((loss, step) => ({ step, loss }));
  const text = report({ losses });
  expect(text).toContain('| 0 | 9.000 |\n| 2 | 2.000 |\n| 3 | 3.000 |');
});
