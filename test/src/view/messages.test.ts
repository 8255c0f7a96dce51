import { describe, expect, it } from 'vitest';
import type { FromView } from '../../../protocol/view.ts';
import { readMessage } from '../../../src/view/messages.ts';

const citation = { path: 'src/a.ts', startLine: 1, endLine: 2 };

/** One of each kind that the contract has. */
const good: FromView[] = [
  { type: 'ready' },
  { type: 'ask', question: 'why?', mentions: [{ folder: '/a', path: 'b.ts' }] },
  { type: 'stop' },
  { type: 'retry', turnId: 't' },
  { type: 'newConversation' },
  { type: 'openConversation', id: 'c' },
  { type: 'deleteConversation', id: 'c' },
  { type: 'openCitation', folder: '/a', citation },
  { type: 'copy', text: 'x' },
  { type: 'insertAtCursor', text: 'x' },
  { type: 'newFile', text: 'x', language: 'ts' },
  { type: 'removeContext', id: 'file file:/a/b' },
  { type: 'restoreContext' },
  { type: 'setSwitch', name: 'adapter', on: false },
  { type: 'findFiles', query: '' },
  { type: 'absorption', action: 'pause', folder: '/a' },
  { type: 'openLink', url: 'https://example.org' },
  { type: 'runCommand', command: 'lift.showLog' },
];

describe('messages of the page', () => {
  it.each(good)('$type is read as it is', (message) => {
    expect(readMessage(message)).toEqual(message);
  });

  it('drops fields that the contract does not have', () => {
    expect(readMessage({ type: 'stop', command: 'x' })).toEqual({ type: 'stop' });
    expect(readMessage({ type: 'openCitation', folder: '/a', citation: { ...citation, scheme: 'command' } })).toEqual({
      type: 'openCitation',
      folder: '/a',
      citation,
    });
  });

  it.each([
    null,
    undefined,
    'ready',
    [],
    {},
    { type: 'constructor' },
    { type: '__proto__' },
    { type: 'ask', question: 'why?' },
    { type: 'ask', question: '', mentions: [] },
    { type: 'ask', question: 7, mentions: [] },
    { type: 'ask', question: 'why?', mentions: [{ folder: '/a' }] },
    { type: 'ask', question: 'why?', mentions: new Array(51).fill({ folder: '/a', path: 'b' }) },
    { type: 'ask', question: 'x'.repeat(2_000_001), mentions: [] },
    { type: 'retry', turnId: {} },
    { type: 'openCitation', folder: '/a', citation: { ...citation, startLine: 0 } },
    { type: 'openCitation', folder: '/a', citation: { ...citation, endLine: 1.5 } },
    { type: 'openCitation', folder: '/a', citation: { ...citation, path: 'a\0b' } },
    { type: 'openCitation', folder: '/a', citation: null },
    { type: 'newFile', text: 'x' },
    { type: 'setSwitch', name: '__proto__', on: true },
    { type: 'setSwitch', name: 'adapter', on: 'yes' },
    { type: 'absorption', action: 'dispose', folder: '/a' },
    { type: 'runCommand', command: 'workbench.action.terminal.sendSequence' },
    { type: 'openLink', url: '' },
  ])('refuses %j', (value) => {
    expect(readMessage(value)).toBeNull();
  });
});
