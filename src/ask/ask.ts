/** One question to the host and its streamed answer. A host that ends in the middle is asked once more when it is back. */
import { randomUUID } from 'node:crypto';
import { CancellationError, type CancellationToken, type Disposable, type WorkspaceFolder } from 'vscode';
import type { AskResult, ConversationTurn, OpenFile } from '../../protocol/host.ts';
import { HostUnavailableError } from '../host/host-errors.ts';
import type { HostClient } from '../lift-context.ts';
import { askSettings } from './ask-settings.ts';

export interface Question {
  folder: WorkspaceFolder;
  question: string;
  openFiles: OpenFile[];
  useAdapter: boolean;
  /** Whether passages are looked up, as many as the setting says. */
  evidence: boolean;
  /** Oldest first. */
  conversation: ConversationTurn[];
}

export interface AskListener {
  onText(text: string): void;
  /** The host ended and is asked again: what came so far counts no more. */
  onRestart(): void;
}

/** Earlier turns that go along; the host shows as many of them as there is room for. */
const MOST_TURNS = 20;

/**
 * Errors: as HostClient.request; CancellationError as soon as the token is cancelled, whether or not the host has noticed.
 */
export async function ask(
  host: HostClient,
  question: Question,
  listener: AskListener,
  token: CancellationToken,
): Promise<AskResult> {
  try {
    return await askOnce(host, question, listener, token);
  } catch (error) {
    const ended = error instanceof HostUnavailableError && error.mayAskAgain;
    if (!ended || token.isCancellationRequested) throw error;
    listener.onRestart();
    return await askOnce(host, question, listener, token);
  }
}

async function askOnce(
  host: HostClient,
  { folder, question, openFiles, useAdapter, evidence, conversation }: Question,
  listener: AskListener,
  token: CancellationToken,
): Promise<AskResult> {
  const askId = randomUUID();
  const settings = askSettings(folder.uri);
  const tokens = host.onNotification('ask/token', (delta) => {
    if (delta.askId === askId && !token.isCancellationRequested) listener.onText(delta.text);
  });
  const cancelled = cancellationOf(token);
  try {
    const answer = host.request(
      'ask',
      {
        askId,
        folder: folder.uri.fsPath,
        question,
        openFiles,
        useAdapter,
        ...settings,
        ...(evidence ? {} : { evidence: 0 }),
        conversation: conversation.slice(-MOST_TURNS),
      },
      token,
    );
    return await Promise.race([answer, cancelled.promise]);
  } finally {
    cancelled.dispose();
    tokens.dispose();
  }
}

/** Rejects when the token is cancelled. */
function cancellationOf(token: CancellationToken): { promise: Promise<never>; dispose(): void } {
  let subscription: Disposable | undefined;
  const promise = new Promise<never>((_, reject) => {
    if (token.isCancellationRequested) reject(new CancellationError());
    subscription = token.onCancellationRequested(() => reject(new CancellationError()));
  });
  promise.catch(() => undefined);
  return { promise, dispose: () => subscription?.dispose() };
}
