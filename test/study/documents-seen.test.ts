import { expect, test } from 'vitest';
import { DocumentsSeen } from '../../native-host/study/documents-seen.ts';
import type { Lesson } from '../../native-host/train/material.ts';

const lesson = (kind: Lesson['kind'], path: string): Lesson => ({
  kind,
  path,
  hash: '',
  key: '',
  size: 1,
  item: () => ({ tokens: [], weights: [] }),
});

test('a document is seen when each of its new segments was trained; one without any is seen already', () => {
  const first = lesson('segment', 'a.ts');
  const second = lesson('segment', 'a.ts');
  const question = lesson('question', 'a.ts');
  const seen = new DocumentsSeen(['a.ts', 'b.ts'], [first, second, question, lesson('segment', 'gone.ts')]);
  expect(seen.count).toBe(1);
  seen.note(first);
  seen.note(first);
  seen.note(question);
  expect(seen.count).toBe(1);
  seen.note(second);
  expect(seen.count).toBe(2);
});
