import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Switches, ToView } from '../../../protocol/view.ts';
import { HostError, HostUnavailableError } from '../../../src/host/host-errors.ts';
import { Answering } from '../../../src/view/answer.ts';
import { ContextItems } from '../../../src/view/context-items.ts';
import { Conversations } from '../../../src/view/conversations.ts';
import { type AskedQuestion, fakeContext } from '../fake-context.ts';
import { documentOf, editor, editorOf, inFolder, openWindow, Selection, window, workspace } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lift-answer-'));
  writeFileSync(join(folder, 'mentioned.ts'), 'one\ntwo\n');
  writeFileSync(join(folder, 'huge.txt'), 'x'.repeat(1_000_001));
});
afterAll(() => rmSync(folder, { recursive: true }));

function open(switches: Partial<Switches> = {}) {
  const fake = fakeContext();
  const conversations = new Conversations(fake.memento as never);
  const posted: ToView[] = [];
  const answering = new Answering({
    context: fake.context,
    conversations,
    contextItems: new ContextItems(fake.context.folders),
    switches: () => ({ adapter: true, evidence: true, openFiles: true, ...switches }),
    post: (message) => posted.push(structuredClone(message)),
  });
  /** The page's text of the last turn, put together from what was posted. */
  const page = () => {
    let answer = '';
    let phase = '';
    for (const message of posted) {
      const turn = message.type === 'turn' ? message.turn : null;
      if (turn !== null) ({ answer, phase } = turn);
      else if (message.type === 'conversation') ({ answer, phase } = message.conversation.turns.at(-1)!);
      else if (message.type === 'delta') answer += message.text;
    }
    return { answer, phase };
  };
  return { ...fake, conversations, posted, answering, page };
}

/** Until so many questions reached the host. */
const reached = (asked: AskedQuestion[], count: number) => vi.waitFor(() => expect(asked).toHaveLength(count));

describe('answering', () => {
  beforeEach(() => openWindow(folder));

  it('streams what the host says, a few posts for many tokens, and ends with the host’s answer', async () => {
    const { answering, asked, posted, page } = open();
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    expect(page()).toEqual({ answer: '', phase: 'waiting' });
    for (let token = 0; token < 500; token++) asked[0]!.say('x');
    await vi.waitFor(() => expect(page()).toEqual({ answer: 'x'.repeat(500), phase: 'streaming' }));
    asked[0]!.say('yz');
    await vi.waitFor(() => expect(page().answer).toBe(`${'x'.repeat(500)}yz`));
    asked[0]!.answer({ answer: 'all of it', citations: [{ path: 'a.ts', startLine: 1, endLine: 2 }], version: 7 });
    await ended;
    expect(page()).toEqual({ answer: 'all of it', phase: 'done' });
    expect(posted.length).toBeLessThan(10);
    expect(posted.at(-1)).toMatchObject({ turn: { version: 7, citations: [{ path: 'a.ts' }], firstTokenMs: 12 } });
  });

  it('knows which package answered, and nothing of packages where there is one adapter', async () => {
    const { answering, asked, conversations } = open();
    for (const answeredBy of [{ package: 'packages/a' }, {}]) {
      const ended = answering.ask('why?', []);
      await vi.waitFor(() => expect(asked.length).toBe(conversations.current.turns.length));
      asked.at(-1)!.answer({ answer: 'so.', version: 2, ...answeredBy });
      await ended;
    }
    const [first, second] = conversations.current.turns;
    expect(first).toMatchObject({ package: 'packages/a', version: 2 });
    expect(second).not.toHaveProperty('package');
  });

  it('knows whether it was surer without the texts', async () => {
    const { answering, asked, conversations } = open();
    const ended = answering.ask('why?', []);
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    asked[0]!.answer({ answer: 'so.', fromMemory: true });
    await ended;
    expect(conversations.current.turns[0]).toMatchObject({ answer: 'so.', fromMemory: true });
  });

  it('takes along the turns before it, and not those that failed', async () => {
    const { answering, asked } = open();
    for (const [question, answer] of [
      ['first?', 'first.'],
      ['second?', ''],
      ['third?', 'third.'],
    ] as const) {
      const ended = answering.ask(question, []);
      await vi.waitFor(() => expect(asked.at(-1)?.params.question).toBe(question));
      if (answer === '') asked.at(-1)!.fail(new HostError('no', 1));
      else asked.at(-1)!.answer({ answer });
      await ended;
    }
    expect(asked.at(-1)!.params.conversation).toEqual([{ question: 'first?', answer: 'first.' }]);
  });

  it('stops at once, keeps what came, and tells the host', async () => {
    const { answering, asked, page, conversations } = open();
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    asked[0]!.say('half');
    await vi.waitFor(() => expect(page().answer).toBe('half'));
    answering.stop();
    expect(page()).toEqual({ answer: 'half', phase: 'stopped' });
    asked[0]!.say(' and more');
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked[0]!.isCancelled).toBe(true);
    expect(conversations.current.turns[0]!.answer).toBe('half');
  });

  it('stops the answer before, when another question is asked', async () => {
    const { answering, asked, conversations, page } = open();
    const first = answering.ask('first?', []);
    await reached(asked, 1);
    const second = answering.ask('second?', []);
    await reached(asked, 2);
    asked[0]!.say('late');
    asked[1]!.say('second');
    await vi.waitFor(() => expect(page().answer).toBe('second'));
    asked[1]!.answer({ answer: 'second.' });
    await Promise.all([first, second]);
    expect(conversations.current.turns.map(({ phase, answer }) => [phase, answer])).toEqual([
      ['stopped', ''],
      ['done', 'second.'],
    ]);
  });

  it('asks once more when the host ends in the middle, and shows no text twice', async () => {
    const { answering, asked, page } = open();
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    asked[0]!.say('lost ');
    await vi.waitFor(() => expect(page().answer).toBe('lost '));
    asked[0]!.fail(new HostUnavailableError('it ended', true));
    await vi.waitFor(() => expect(page()).toEqual({ answer: '', phase: 'waiting' }));
    await reached(asked, 2);
    asked[1]!.say('found');
    await vi.waitFor(() => expect(page()).toEqual({ answer: 'found', phase: 'streaming' }));
    asked[1]!.answer({ answer: 'found it' });
    await ended;
    expect(page()).toEqual({ answer: 'found it', phase: 'done' });
    expect(asked).toHaveLength(2);
  });

  it('gives up when the host ends twice, with its message', async () => {
    const { answering, asked, conversations } = open();
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    asked[0]!.fail(new HostUnavailableError('it ended', true));
    await reached(asked, 2);
    asked[1]!.fail(new HostUnavailableError('it ended again: see the log', true));
    await ended;
    expect(conversations.current.turns[0]).toMatchObject({ phase: 'failed', message: 'it ended again: see the log' });
  });

  it.each([
    new HostError('the question needs 2000 tokens: ask a shorter one', 1),
    new HostUnavailableError('trust this workspace first', false),
  ])('does not ask again what was refused: $message', async (error) => {
    const { answering, asked, conversations } = open();
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    asked[0]!.fail(error);
    await ended;
    expect(asked).toHaveLength(1);
    expect(conversations.current.turns[0]).toMatchObject({ phase: 'failed', message: error.message });
  });

  it('asks a turn again, without it and what came after it', async () => {
    const { answering, asked, conversations } = open();
    for (const question of ['first?', 'second?', 'third?']) {
      const ended = answering.ask(question, []);
      await vi.waitFor(() => expect(asked.at(-1)?.params.question).toBe(question));
      asked.at(-1)!.answer({ answer: `${question}!` });
      await ended;
    }
    const again = answering.retry(conversations.current.turns[1]!.id);
    await reached(asked, 4);
    expect(asked.at(-1)!.params.question).toBe('second?');
    expect(asked.at(-1)!.params.conversation).toEqual([{ question: 'first?', answer: 'first?!' }]);
    asked.at(-1)!.answer({ answer: 'anew' });
    await again;
    expect(conversations.current.turns.map(({ answer }) => answer)).toEqual(['first?!', 'anew']);
  });

  it('shows the editor’s text, saved or not, the selection and the visible lines; and mentioned files in whole', async () => {
    const { answering, asked } = open();
    const unsaved = documentOf(inFolder(folder, 'a.ts'), 'not\non\ndisk\n', true);
    workspace.textDocuments = [unsaved];
    window.activeTextEditor = editorOf(unsaved, new Selection(1, 0, 2, 0));
    const ended = answering.ask('why?', [{ folder, path: 'mentioned.ts' }]);
    await reached(asked, 1);
    expect(asked[0]!.params.openFiles).toEqual([
      { path: 'a.ts', text: 'not\non\ndisk\n', from: 1, to: 4, selection: { from: 2, to: 2 } },
      { path: 'mentioned.ts', text: 'one\ntwo\n', from: 1, to: 2 ** 31 - 1 },
    ]);
    asked[0]!.answer();
    await ended;
  });

  it('follows the switches', async () => {
    const { answering, asked } = open({ adapter: false, evidence: false, openFiles: false });
    window.activeTextEditor = editorOf(documentOf(inFolder(folder, 'a.ts'), 'text'));
    const ended = answering.ask('why?', []);
    await reached(asked, 1);
    expect(asked[0]!.params).toMatchObject({ useAdapter: false, evidence: 0, openFiles: [] });
    asked[0]!.answer();
    await ended;
  });

  it('leaves evidence to the host unless a number is set, and moves senseless settings into range', async () => {
    const { answering, asked } = open();
    void answering.ask('why?', []);
    await reached(asked, 1);
    expect(asked[0]!.params).not.toHaveProperty('evidence');
    Object.assign(editor.settings, { 'lift.evidence': '400', 'lift.temperature': -3, 'lift.maxTokens': 1e9 });
    void answering.ask('why?', []);
    await reached(asked, 2);
    expect(asked[1]!.params).toMatchObject({ evidence: 100, temperature: 0, maxTokens: 65_536 });
    answering.stop();
  });

  it('says which files had to be left out', async () => {
    const { answering, asked, conversations } = open();
    const mentions = ['huge.txt', 'gone.ts', '../outside.ts'].map((path) => ({ folder, path }));
    const ended = answering.ask('why?', mentions);
    await reached(asked, 1);
    expect(asked[0]!.params.openFiles).toEqual([]);
    asked[0]!.answer();
    await ended;
    const shown = conversations.current.turns[0]!.shown.map(({ path, state }) => [path, state]);
    expect(shown).toEqual([
      ['huge.txt', 'left out'],
      ['gone.ts', 'left out'],
    ]);
  });

  it('says what to do where no folder is open', async () => {
    openWindow();
    const { answering, asked } = open();
    await answering.ask('why?', []);
    expect(asked).toEqual([]);
    expect(editor.messages[0]).toMatch(/open one/);
  });

  it('leaves a running turn to be found by the next window', async () => {
    const { answering, asked, conversations } = open();
    void answering.ask('why?', []);
    await reached(asked, 1);
    answering.dispose();
    expect(conversations.current.turns[0]!.phase).toBe('waiting');
  });
});
