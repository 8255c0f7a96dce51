import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../../protocol/view.ts';
import { Conversations } from '../../../src/view/conversations.ts';
import { FakeMemento } from '../fake-context.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

function turn(id: string, change: Partial<Turn> = {}): Turn {
  return {
    id,
    folder: '/a',
    question: `question ${id}`,
    mentions: [],
    answer: `answer ${id}`,
    phase: 'done',
    message: null,
    citations: [],
    unknownPaths: [],
    unknownSymbols: [],
    shown: [],
    version: 1,
    firstTokenMs: 1,
    tokensPerSecond: 1,
    ...change,
  };
}

function open(memento: FakeMemento): Conversations {
  return new Conversations(memento as never);
}

describe('conversations', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('come back after a reload, the current one as it was', () => {
    const memento = new FakeMemento();
    const before = open(memento);
    before.add(turn('1'));
    before.startNew();
    before.add(turn('2'));
    before.add(turn('3'));
    const { current, history } = before;
    before.dispose();
    const after = open(memento);
    expect(after.current).toEqual(current);
    expect(after.history).toEqual(history);
    expect(history.map(({ title, turns }) => [title, turns])).toEqual([
      ['question 2', 2],
      ['question 1', 1],
    ]);
  });

  it('are saved as soon as something was asked, and while an answer grows', () => {
    const memento = new FakeMemento();
    const conversations = open(memento);
    const growing = turn('1', { phase: 'streaming', answer: 'so' });
    conversations.add(growing);
    expect(open(memento).current.turns[0]!.question).toBe('question 1');
    growing.answer = 'so far';
    conversations.changed();
    vi.advanceTimersByTime(2000);
    expect(open(memento).current.turns[0]!.answer).toBe('so far');
  });

  it('stop an answer that a reload cut off, and keep what came of it', () => {
    const memento = new FakeMemento();
    const before = open(memento);
    before.add(turn('1', { phase: 'streaming', answer: 'half of' }));
    before.dispose();
    const [cut] = open(memento).current.turns;
    expect(cut).toMatchObject({ phase: 'stopped', answer: 'half of' });
    expect(cut!.message).toMatch(/reloaded.*Retry/s);
  });

  it('start anew only when something was asked, and leave no empty ones behind', () => {
    const conversations = open(new FakeMemento());
    const { id } = conversations.current;
    conversations.startNew();
    expect(conversations.current.id).toBe(id);
    conversations.add(turn('1'));
    conversations.startNew();
    expect(conversations.current.turns).toEqual([]);
    expect(conversations.open(id)).toBe(true);
    expect(conversations.current.turns).toHaveLength(1);
    expect(conversations.history).toHaveLength(1);
    expect(conversations.open('of another workspace')).toBe(false);
    conversations.delete(id);
    expect(conversations.current.turns).toEqual([]);
    expect(conversations.history).toEqual([]);
  });

  it('cut a turn and what came after it', () => {
    const conversations = open(new FakeMemento());
    for (const id of ['1', '2', '3']) conversations.add(turn(id));
    conversations.cutAt('2');
    expect(conversations.current.turns.map(({ id }) => id)).toEqual(['1']);
    conversations.cutAt('unknown');
    expect(conversations.current.turns).toHaveLength(1);
  });

  it('are titled by the first line of the first question, cut at a word', () => {
    const conversations = open(new FakeMemento());
    const question = `  Where   is the parser of version ranges defined and what does it return?\nSecond line`;
    conversations.add(turn('1', { question }));
    expect(conversations.current.title).toBe('Where is the parser of version ranges defined and what does…');
  });

  it('keep the newest fifty', () => {
    const memento = new FakeMemento();
    const conversations = open(memento);
    for (let number = 0; number < 60; number++) {
      conversations.startNew();
      conversations.add(turn(`${number}`));
    }
    conversations.dispose();
    const kept = open(memento).history;
    expect(kept).toHaveLength(50);
    expect(kept[0]!.title).toBe('question 59');
    expect(kept.at(-1)!.title).toBe('question 10');
  });

  it('stay below a million characters, and the current one loses its first turns last', () => {
    const memento = new FakeMemento();
    const conversations = open(memento);
    conversations.add(turn('old', { answer: 'x'.repeat(300_000) }));
    conversations.startNew();
    for (const id of ['1', '2', '3', '4']) conversations.add(turn(id, { answer: 'x'.repeat(300_000) }));
    conversations.dispose();
    const stored = JSON.stringify([...memento.values.values()]);
    expect(stored.length).toBeLessThan(1_001_000);
    const after = open(memento);
    expect(after.current.turns.map(({ id }) => id)).toEqual(['2', '3', '4']);
    expect(after.history).toHaveLength(1);
  });

  it.each([
    undefined,
    7,
    {},
    { version: 2, conversations: [{ id: 'x', title: '', updated: '', turns: [turn('1')] }] },
    { version: 1, currentId: 3, conversations: 'none' },
    {
      version: 1,
      currentId: 'x',
      conversations: [null, {}, { id: 'x', title: 't', updated: 'u', turns: [{ id: 1 }] }],
    },
  ])('begin empty where what is stored makes no sense: %j', (stored) => {
    const memento = new FakeMemento();
    memento.values.set('lift.conversations', stored);
    const conversations = open(memento);
    expect(conversations.current.turns).toEqual([]);
    expect(conversations.history).toEqual([]);
  });
});
