// The page's only way out: messages to the extension, and what survives a reload of the page. Nothing but the draft, the scroll
// position and which parts are open is kept here; the extension owns all else.
import type { FileMention, FromView } from '../protocol/view.ts';

interface WebviewApi {
  postMessage(message: FromView): void;
  getState(): unknown;
  setState(state: KeptState): void;
}

export interface KeptState {
  draft: string;
  mentions: FileMention[];
  tab: 'conversation' | 'absorption';
  /** Names of the parts that the reader opened or closed, with whether they are open. */
  open: Record<string, boolean>;
  scroll: { conversation: string; top: number; atEnd: boolean } | null;
}

declare function acquireVsCodeApi(): WebviewApi;

const api = acquireVsCodeApi();
let kept = readKept(api.getState());
/** Milliseconds. */
const keptAfter = 100;
let isWaiting = false;

export function post(message: FromView): void {
  api.postMessage(message);
}

export function keptState(): Readonly<KeptState> {
  return kept;
}

/** Kept a moment later, so that an answer that scrolls the page does not send a message with each frame. */
export function keep(change: Partial<KeptState>): void {
  kept = { ...kept, ...change };
  if (isWaiting) return;
  isWaiting = true;
  setTimeout(() => {
    isWaiting = false;
    api.setState(kept);
  }, keptAfter);
}

/** What an older version of the page kept may have another shape; what does not fit is left at its default. */
function readKept(state: unknown): KeptState {
  const found = (typeof state === 'object' && state !== null ? state : {}) as Partial<Record<keyof KeptState, unknown>>;
  const scroll = found.scroll as KeptState['scroll'] | undefined;
  return {
    draft: typeof found.draft === 'string' ? found.draft : '',
    mentions: Array.isArray(found.mentions)
      ? found.mentions.filter((mention) => typeof mention?.folder === 'string' && typeof mention?.path === 'string')
      : [],
    tab: found.tab === 'absorption' ? 'absorption' : 'conversation',
    open: typeof found.open === 'object' && found.open !== null ? (found.open as Record<string, boolean>) : {},
    scroll: typeof scroll?.conversation === 'string' && typeof scroll.top === 'number' ? scroll : null,
  };
}
