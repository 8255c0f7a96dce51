/** Anchors: texts that are no repository's, of which the adapter is to think what the base thinks. */
import { createHash } from 'node:crypto';
import type { BaseModel } from '../../model/open-model.ts';
import { shuffled } from '../../model/random.ts';
import type { Device } from '../../runtime/device.ts';
import { longestSegment, questionItem, segmentItem } from '../../train/items.ts';
import type { Curriculum, EpochVisits } from '../../train/lift.ts';
import type { Lesson } from '../../train/material.ts';
import type { TrainingItem } from '../../train/packing.ts';
import { longestTaught, withTeacher } from '../../train/teacher.ts';
import { anchorChat } from './anchor-chat.ts';
import { anchorCode } from './anchor-code.ts';
import { anchorProse } from './anchor-prose.ts';

/** Longer pieces would leave less to choose from. */
const longestPiece = 128;
/** Of the tokens that are visited, so many are of anchors. */
const anchorShare = 0.05;
/** What a token of an anchor counts, one of a segment counting 1: as much as one of an answer. */
const anchorWeight = 3;
/** What a question counts among the tokens visited; a segment counts its own. */
const tokensOfQuestion = 40;

// A refresh takes seconds; in a host that goes on it does not ask again.
const asked = new WeakMap<BaseModel, { rowLength: number; lessons: Lesson[] }>();

/**
 * The general texts in pieces that fit a row, each with what the base finds likely. One pass over some thousand tokens, once for a base.
 * Errors: the signal's reason where it aborts.
 */
export async function anchorLessons(
  device: Device,
  model: BaseModel,
  rowLength: number,
  signal: AbortSignal,
): Promise<Lesson[]> {
  const before = asked.get(model);
  if (before?.rowLength === rowLength) return before.lessons;
  const length = longestTaught(model, rowLength);
  const items = [...anchorItems(model, length)].filter(({ tokens }) => tokens.length <= length);
  const taught = await withTeacher(device, model, items, length, signal);
  signal.throwIfAborted();
  const lessons = taught.map(anchorLesson);
  asked.set(model, { rowLength, lessons });
  return lessons;
}

function* anchorItems(model: BaseModel, rowLength: number): Generator<TrainingItem> {
  const size = Math.min(longestPiece, longestSegment(rowLength));
  for (const { path, text } of size > 0 ? [...anchorCode, ...anchorProse] : []) {
    const tokens = model.tokenizer.encode(text);
    for (let start = 0; start < tokens.length; start += size)
      yield segmentItem(model, path, tokens.slice(start, start + size), anchorWeight);
  }
  for (const { question, answer } of anchorChat) yield questionItem(model, question, answer, anchorWeight);
}

function anchorLesson(item: TrainingItem): Lesson {
  const hash = createHash('sha256').update(item.tokens.join()).digest('hex').slice(0, 32);
  const size = item.tokens.length;
  return { kind: 'anchor', hash, path: '', key: hash, start: 0, size, item: () => item };
}

/** The same curriculum with anchors evenly among what it visits. */
export function withAnchors(curriculum: Curriculum, anchors: readonly Lesson[]): Curriculum {
  if (anchors.length === 0) return curriculum;
  const meanSize = anchors.reduce((sum, { size }) => sum + size, 0) / anchors.length;
  const epoch: Curriculum['epoch'] = (number, uniform): EpochVisits => {
    const { visits, ...how } = curriculum.epoch(number, uniform);
    const tokens = visits.reduce((sum, { size }) => sum + (size || tokensOfQuestion), 0);
    const count = Math.ceil((tokens * anchorShare) / (1 - anchorShare) / meanSize);
    return { visits: evenlyAmong(visits, picked(anchors, visits.length === 0 ? 0 : count, uniform)), ...how };
  };
  return { epoch };
}

/** So many, all of them before one comes again. */
function picked(anchors: readonly Lesson[], count: number, uniform: () => number): Lesson[] {
  const chosen: Lesson[] = [];
  while (chosen.length < count) chosen.push(...shuffled(anchors, uniform).slice(0, count - chosen.length));
  return chosen;
}

function evenlyAmong(visits: readonly Lesson[], others: readonly Lesson[]): Lesson[] {
  const every = visits.length / Math.max(1, others.length);
  return visits.flatMap((visit, i) => {
    const due = others.slice(Math.floor(i / every), Math.floor((i + 1) / every));
    return [visit, ...due];
  });
}
