import { beforeEach, expect, it, vi } from 'vitest';
import { editor, openWindow } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { excludePatterns, hiddenPatterns } = await import('../../../src/folders/exclude-patterns.ts');

beforeEach(() => openWindow());

it('takes hidden files for left out, where they are hidden in any case', () => {
  expect(
    hiddenPatterns({
      '**/.git': true,
      '**/*.js': { when: '$(basename).ts' },
      '**/.DS_Store': false,
      out: true,
      'docs/*.pdf': true,
      '/made': true,
      '**/*.{map,min.js}': true,
    }),
  ).toEqual(['**/.git', '/out', '/docs/*.pdf', '/made', '**/*.map', '**/*.min.js']);
});

it('joins both settings and leaves aside what is no pattern', () => {
  editor.settings['lift.exclude'] = ['*.csv', '', 7];
  editor.settings['files.exclude'] = { '**/dist': true };
  expect(excludePatterns({} as never)).toEqual(['*.csv', '**/dist']);
  editor.settings['lift.exclude'] = 'no list';
  editor.settings['files.exclude'] = null;
  expect(excludePatterns({} as never)).toEqual([]);
});
