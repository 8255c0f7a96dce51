/** The chat participant `@lift`: the workspace's adapted model in the editor's own chat. */
import {
  type CancellationToken,
  type ChatContext,
  type ChatFollowup,
  type ChatRequest,
  ChatRequestTurn,
  ChatResponseMarkdownPart,
  type ChatResponseStream,
  ChatResponseTurn,
  type ChatResult,
  chat,
  type Disposable,
  Location,
  l10n,
  Range,
  Uri,
  type WorkspaceFolder,
} from 'vscode';
import type { AskResult, ConversationTurn } from '../../protocol/host.ts';
import { ask, type Question } from '../ask/ask.ts';
import { documentPathOf, uriInFolder } from '../ask/document-path.ts';
import { type OpenEditor, openEditorsOf, readOpenFiles } from '../ask/open-files.ts';
import type { LiftContext } from '../lift-context.ts';

const PARTICIPANT_ID = 'lift.chat';
const MOST_FOLLOWUPS = 3;

/** What a follow-up needs to know of an answer; kept by the chat with the turn. */
interface AnswerMetadata {
  cited: string[];
}

export function registerParticipant(context: LiftContext): Disposable {
  const participant = chat.createChatParticipant(PARTICIPANT_ID, (request, history, stream, token) =>
    respond(context, request, history, stream, token),
  );
  participant.iconPath = Uri.joinPath(context.extension.extensionUri, 'media', 'icon.png');
  participant.followupProvider = { provideFollowups: followupsOf };
  return participant;
}

async function respond(
  context: LiftContext,
  request: ChatRequest,
  { history }: ChatContext,
  stream: ChatResponseStream,
  token: CancellationToken,
): Promise<ChatResult> {
  const folder = context.folders.active?.folder;
  if (folder === undefined) {
    return { errorDetails: { message: l10n.t('LIFT answers from a folder: open one, absorb it, and ask again.') } };
  }
  if (request.prompt.trim() === '') {
    stream.markdown(l10n.t('Ask a question about {0}.', folder.name));
    return {};
  }
  const { openFiles } = await readOpenFiles(withReferences(openEditorsOf(folder), request, folder));
  const listener = {
    onText: (text: string) => stream.markdown(text),
    onRestart: () =>
      stream.markdown(`\n\n_${l10n.t('The native host ended unexpectedly; the answer begins anew.')}_\n\n`),
  };
  const question: Question = {
    folder,
    question: request.prompt,
    openFiles,
    useAdapter: true,
    evidence: true,
    conversation: turnsOf(history),
  };
  try {
    const result = await ask(context.host, question, listener, token);
    showSources(result, folder, stream);
    return { metadata: { cited: result.citations.map(({ path }) => path) } satisfies AnswerMetadata };
  } catch (error) {
    if (token.isCancellationRequested) return {};
    return { errorDetails: { message: error instanceof Error ? error.message : String(error) } };
  }
}

/** Files that the user attached to the question go along, and first; of an attached range that range. */
function withReferences(editors: readonly OpenEditor[], request: ChatRequest, folder: WorkspaceFolder): OpenEditor[] {
  const attached: OpenEditor[] = [];
  for (const { value } of request.references) {
    const uri = value instanceof Location ? value.uri : value instanceof Uri ? value : undefined;
    const place = uri && documentPathOf(uri);
    if (uri === undefined || place?.folder.uri.toString() !== folder.uri.toString()) continue;
    const range =
      value instanceof Location ? { from: value.range.start.line + 1, to: value.range.end.line + 1 } : undefined;
    attached.push({ uri, path: place.path, isActive: false, isUnsaved: false, selection: range, visible: undefined });
  }
  const paths = new Set(attached.map(({ path }) => path));
  return [...attached, ...editors.filter(({ path }) => !paths.has(path))];
}

function showSources(result: AskResult, folder: WorkspaceFolder, stream: ChatResponseStream): void {
  const places = result.citations.flatMap(({ path, startLine, endLine }) => {
    const uri = uriInFolder(folder.uri, path);
    return uri
      ? [{ title: `${path}:${startLine}`, location: new Location(uri, new Range(startLine - 1, 0, endLine - 1, 0)) }]
      : [];
  });
  if (places.length > 0) stream.markdown('\n\n');
  for (const [index, { title, location }] of places.entries()) {
    if (index > 0) stream.markdown(' · ');
    stream.anchor(location, title);
    stream.reference(location);
  }
  const unknown = [...result.unknownPaths, ...result.unknownSymbols];
  if (unknown.length > 0) {
    const names = unknown.map((name) => `\`${name.replaceAll('`', '')}\``).join(', ');
    stream.markdown(`\n\n_${l10n.t('Not in this workspace: {0}', names)}_`);
  }
  if (result.version === null) {
    stream.markdown(`\n\n_${l10n.t('This folder is not absorbed yet, so the base model answered.')}_ `);
    stream.button({ command: 'lift.absorb', title: l10n.t('Absorb Workspace') });
  }
}

/** Earlier questions to this participant and what it answered; a question whose answer is missing is left out. */
function turnsOf(history: ChatContext['history']): ConversationTurn[] {
  const turns: ConversationTurn[] = [];
  let question: string | null = null;
  for (const turn of history) {
    if (turn instanceof ChatRequestTurn) question = turn.participant === PARTICIPANT_ID ? turn.prompt : null;
    else if (turn instanceof ChatResponseTurn && question !== null && turn.participant === PARTICIPANT_ID) {
      const answer = turn.response
        .flatMap((part) => (part instanceof ChatResponseMarkdownPart ? [part.value.value] : []))
        .join('');
      if (answer !== '') turns.push({ question, answer });
      question = null;
    }
  }
  return turns;
}

function followupsOf({ metadata }: ChatResult): ChatFollowup[] {
  const cited = (metadata as Partial<AnswerMetadata> | undefined)?.cited ?? [];
  return [...new Set(cited)].slice(0, MOST_FOLLOWUPS).map((path) => ({
    prompt: l10n.t('What is {0} for?', path),
    label: l10n.t('What is {0} for?', path),
  }));
}
