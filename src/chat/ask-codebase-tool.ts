/**
 * The language model tool `ask_codebase`: another model asks this workspace's adapted model. Nothing that is merely open in
 * the editor goes along, because the answer goes to whichever model asked.
 */
import {
  type Disposable,
  LanguageModelTextPart,
  type LanguageModelTool,
  LanguageModelToolResult,
  l10n,
  lm,
  MarkdownString,
} from 'vscode';
import type { AskResult } from '../../protocol/host.ts';
import { ask } from '../ask/ask.ts';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';

const TOOL_NAME = 'lift_askCodebase';
const LONGEST_SHOWN_QUESTION = 100;

interface AskCodebaseInput {
  question: string;
  /** Name of a folder of the workspace; the active one without it. */
  folder?: string;
}

export function registerAskCodebaseTool(context: LiftContext): Disposable {
  const tool: LanguageModelTool<AskCodebaseInput> = {
    prepareInvocation: ({ input }) => ({
      invocationMessage: new MarkdownString().appendText(l10n.t('Asking LIFT: {0}', shortened(input.question))),
    }),
    invoke: async ({ input }, token) => {
      const { question } = input;
      if (typeof question !== 'string' || question.trim() === '') throw new Error(l10n.t('The question is empty.'));
      const { folder } = chosenFolder(context, input.folder);
      const listener = { onText: () => undefined, onRestart: () => undefined };
      const result = await ask(
        context.host,
        { folder, question, openFiles: [], useAdapter: true, evidence: true, conversation: [] },
        listener,
        token,
      );
      return new LanguageModelToolResult([new LanguageModelTextPart(answerText(result, folder.name))]);
    },
  };
  return lm.registerTool(TOOL_NAME, tool);
}

function chosenFolder({ folders }: LiftContext, name: string | undefined): AbsorbedFolder {
  const chosen = name === undefined ? folders.active : folders.all.find(({ folder }) => folder.name === name);
  if (chosen !== undefined) return chosen;
  const names = folders.all.map(({ folder }) => folder.name).join(', ');
  throw new Error(
    names === ''
      ? l10n.t('No folder is open. Open a folder and absorb it with “LIFT: Absorb Workspace”.')
      : l10n.t('There is no folder {0} in this workspace. Its folders: {1}.', name ?? '', names),
  );
}

/** For a model to read, so in English. */
function answerText(result: AskResult, folder: string): string {
  const { answer, citations, unknownPaths, unknownSymbols, version } = result;
  if (version === null) {
    throw new Error(
      l10n.t(
        'Nothing of {0} has been absorbed, so LIFT knows nothing of it. Run “LIFT: Absorb Workspace” first.',
        folder,
      ),
    );
  }
  const places = citations.map(({ path, startLine, endLine }) => `- ${path}:${startLine}-${endLine}`);
  const unknown = [...unknownPaths, ...unknownSymbols];
  return [
    answer,
    ...(places.length > 0 ? ['', 'Checked places in the workspace:', ...places] : []),
    ...(unknown.length > 0
      ? ['', `Named in the answer but not in the workspace, so doubt them: ${unknown.join(', ')}`]
      : []),
  ].join('\n');
}

function shortened(question: string): string {
  const line = question.replace(/\s+/g, ' ').trim();
  return line.length <= LONGEST_SHOWN_QUESTION ? line : `${line.slice(0, LONGEST_SHOWN_QUESTION)}…`;
}
