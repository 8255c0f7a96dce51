import { describe, expect, test } from 'vitest';
import { type Fault, faultOf, namesIn, questionKey } from '../../../native-host/study/self-study/filter.ts';

const passage = {
  path: 'src/queue.ts',
  text: 'export const queueLimit = 42;\nexport function push(item) { items.unshift(item); }\n// HTTP is not meant.\n',
  hash: '',
};

const question = 'What is the limit of the queue?';

describe('what the base wrote', () => {
  test.each<[Fault | null, string, string]>([
    [null, question, '42'],
    [null, question, 'The constant `queueLimit` says 42.'],
    [null, question, 'It is in src/queue.ts.'],
    [null, 'What does `items.unshift(item)` do here?', 'It puts an item first.'],
    [null, question, 'HTTP.'],
    ['empty', question, ''],
    ['empty', question, ' … \n'],
    ['no question', 'What is the limit', '42'],
    ['no question', 'Limit?', '42'],
    ['no question', `What is ${'very '.repeat(80)}long?`, '42'],
    ['repeats itself', question, 'the item and the item and the item and the item and so on'],
    ['repeats itself', 'Is it the one or is it the one or is it the one?', '42'],
    ['unknown name', question, '43'],
    ['unknown name', question, '1.3.5'],
    ['unknown name', question, 'queue_limit'],
    ['unknown name', question, '`pop`'],
    ['unknown name', question, 'It is in src/queues.ts.'],
    ['unknown name', question, 'queueLimits'],
    ['unknown name', question, 'Limit4'],
    ['unknown name', 'What does maxQueue hold?', 'A number.'],
  ])('%s: %s %s', (fault, asked, answer) => {
    expect(faultOf({ question: asked, answer, hasEnded: true, isProse: false }, passage, new Set())).toBe(fault);
  });

  test('has to have come to its end', () => {
    expect(faultOf({ question, answer: '42', hasEnded: false, isProse: false }, passage, new Set())).toBe('cut');
  });

  test('has some words where sentences were asked for', () => {
    const faultAt = (answer: string) =>
      faultOf({ question, answer, hasEnded: true, isProse: true }, passage, new Set());
    expect(faultAt('42')).toBe('too short');
    expect(faultAt('At most 42 items.')).toBeNull();
  });

  test('is not kept twice', () => {
    const known = new Set([questionKey('what is  the LIMIT, of the queue?')]);
    expect(faultOf({ question, answer: '42', hasEnded: true, isProse: false }, passage, known)).toBe('known');
  });
});

test('names are what is no word of a language', () => {
  expect(
    namesIn('Call `push(item)` of src/queue.ts, then popAll, max_size or $x; 7 of 12 in IPv6 and HTTP. Yes, It is.'),
  ).toEqual(['push(item)', 'src/queue.ts', 'popAll', 'max_size', '$x', '12', 'IPv6', 'HTTP']);
});
