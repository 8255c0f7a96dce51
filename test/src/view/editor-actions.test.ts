import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { insertAtCursor, openCitation, openLink, openNewFile } from '../../../src/view/editor-actions.ts';
import { documentOf, editor, editorOf, inFolder, openWindow, window } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

let root = '';
let folder = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lift-actions-'));
  folder = join(root, 'repository');
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'src/a.ts'), 'one\ntwo\nthree');
  writeFileSync(join(root, 'secret.txt'), 'not yours');
  symlinkSync(join(root, 'secret.txt'), join(folder, 'link.txt'));
  symlinkSync(root, join(folder, 'up'));
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => openWindow(folder));

describe('opening a citation', () => {
  it('selects its lines', async () => {
    await openCitation(folder, { path: 'src/a.ts', startLine: 2, endLine: 3 });
    const [{ text, selection }] = editor.opened as [(typeof editor.opened)[0]];
    expect(text).toBe('one\ntwo\nthree');
    expect([selection!.start, selection!.end]).toEqual([
      { line: 1, character: 0 },
      { line: 2, character: 5 },
    ]);
  });

  it('stays in the file where the lines are beyond its end, or in the wrong order', async () => {
    await openCitation(folder, { path: 'src/a.ts', startLine: 900, endLine: 950 });
    await openCitation(folder, { path: 'src/a.ts', startLine: 2, endLine: 1 });
    expect(editor.opened.map(({ selection }) => [selection!.start.line, selection!.end.line])).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });

  it.each([
    '../secret.txt',
    'src/../../secret.txt',
    '/etc/passwd',
    'C:\\Windows\\win.ini',
    '..\\secret.txt',
    'link.txt',
    'up/secret.txt',
    'src/missing.ts',
    '',
  ])('does not leave the folder: %s', async (path) => {
    await openCitation(folder, { path, startLine: 1, endLine: 1 });
    expect(editor.opened).toEqual([]);
    expect(editor.messages).toHaveLength(1);
  });

  it('does not open files of folders that are not of the workspace', async () => {
    await openCitation(root, { path: 'secret.txt', startLine: 1, endLine: 1 });
    expect(editor.opened).toEqual([]);
  });
});

describe('taking code over', () => {
  it('inserts at the cursor', async () => {
    window.activeTextEditor = editorOf(documentOf(inFolder(folder, 'src/a.ts'), 'text'));
    await insertAtCursor('code');
    expect(editor.opened[0]!.text).toBe('code');
    expect(editor.messages).toEqual([]);
  });

  it('says what to do where no editor is open, and where the file cannot be changed', async () => {
    await insertAtCursor('code');
    window.activeTextEditor = {
      ...editorOf(documentOf(inFolder(folder, 'src/a.ts'), 'text')),
      edit: async () => false,
    };
    await insertAtCursor('code');
    expect(editor.messages).toEqual([
      expect.stringMatching(/put the cursor there/),
      expect.stringMatching(/read-only/),
    ]);
  });

  it.each([
    ['ts', 'typescript'],
    ['TypeScript', 'typescript'],
    ['bash', 'shellscript'],
    ['', 'plaintext'],
    ['"><script>', 'plaintext'],
    ['__proto__', 'plaintext'],
    ['constructor', 'plaintext'],
  ])('opens a new file for the language “%s” as %s', async (named, language) => {
    await openNewFile('code', named);
    expect(editor.opened).toEqual([{ text: 'code', language, selection: undefined }]);
  });
});

describe('opening a link', () => {
  it('gives web links to the editor, which asks the user', async () => {
    await openLink('https://example.org/a?b=c');
    expect(editor.external).toEqual(['https://example.org/a?b=c']);
  });

  it.each([
    'command:workbench.action.quit',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vscode://lift.lift-vscode/x',
    'https:',
    'https:///path',
    ' https://example.org',
    'HTTPS//example.org',
  ])('opens nothing else: %s', async (url) => {
    await openLink(url);
    expect(editor.external).toEqual([]);
    expect(editor.messages).toHaveLength(1);
  });
});
