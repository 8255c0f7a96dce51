/** Show Absorption Report: an editor tab that tells what is absorbed, what is not and why, and follows what happens. */
import {
  commands,
  EventEmitter,
  l10n,
  type QuickPickItem,
  type TextDocumentContentProvider,
  Uri,
  window,
  workspace,
} from 'vscode';
import type { Evaluation } from '../../protocol/host.ts';
import { chooseFolder } from '../commands/choose-folder.ts';
import type { LiftContext } from '../lift-context.ts';
import { showEvaluation } from './evaluation.ts';
import { reportText } from './report-text.ts';

const scheme = 'lift-report';
const millisecondsBetweenChanges = 2000;

export function activateReport(context: LiftContext): void {
  const { extension, folders, host } = context;
  const changed = new EventEmitter<Uri>();
  const provider: TextDocumentContentProvider = {
    onDidChange: changed.event,
    provideTextDocumentContent: (uri) => {
      const folder = folders.all.find((candidate) => reportUri(candidate.folder.uri).toString() === uri.toString());
      return folder === undefined
        ? l10n.t('This folder is not in the workspace any more.')
        : reportText(host.state, folder.state, folder.coverage);
    },
  };
  let timer: NodeJS.Timeout | undefined;
  const refreshOpenReports = () => {
    timer = undefined;
    for (const { uri } of workspace.textDocuments) if (uri.scheme === scheme) changed.fire(uri);
  };
  extension.subscriptions.push(
    changed,
    workspace.registerTextDocumentContentProvider(scheme, provider),
    { dispose: () => clearTimeout(timer) },
    folders.onDidChange(() => {
      if (!workspace.textDocuments.some(({ uri }) => uri.scheme === scheme)) return;
      timer ??= setTimeout(refreshOpenReports, millisecondsBetweenChanges);
    }),
    commands.registerCommand('lift.showReport', () => show(context)),
  );
}

async function show(context: LiftContext): Promise<void> {
  try {
    const folder = await chooseFolder(context, l10n.t('Absorption Report'));
    if (folder === undefined) return;
    const { evaluation } = await context.host.request('eval/last', { folder: folder.state.folder });
    if (evaluation !== null) {
      const choice = await window.showQuickPick(choices(evaluation), { title: l10n.t('Absorption Report') });
      if (choice === undefined) return;
      if (choice.evaluation !== null) return showEvaluation(folder.folder.name, choice.evaluation);
    }
    await folder.update();
    const uri = reportUri(folder.folder.uri);
    // Markdown's own extension may be switched off.
    await commands
      .executeCommand('markdown.showPreview', uri)
      .then(undefined, () => window.showTextDocument(uri, { preview: true }));
  } catch (error) {
    void window.showErrorMessage(l10n.t('LIFT: {0}', error instanceof Error ? error.message : String(error)));
  }
}

function choices(evaluation: Evaluation): (QuickPickItem & { evaluation: Evaluation | null })[] {
  const made = new Date(evaluation.made).toLocaleString();
  return [
    { label: l10n.t('What is absorbed, by folder and file'), evaluation: null },
    { label: l10n.t('What absorbing gives'), description: l10n.t('evaluated {0}', made), evaluation },
  ];
}

/** The name ends in .md, so that it is shown as Markdown; the folder is in the query. */
function reportUri(folder: Uri): Uri {
  const name = folder.path.split('/').at(-1) || 'workspace';
  return Uri.from({ scheme, path: `/${name}.absorption.md`, query: folder.toString() });
}
