/** Evaluate Folder…: what absorbing gives, measured on this repository, as a page with plots; and the page of the last time. */
import { commands, l10n, ViewColumn, window } from 'vscode';
import type { Evaluation } from '../../protocol/host.ts';
import { cancellable } from '../commands/cancellable.ts';
import { chooseFolder } from '../commands/choose-folder.ts';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';
import { absorbOptions } from '../settings.ts';

/** Of the training that is measured, unless absorbing has fewer. */
const mostMinutes = 3;

export function activateEvaluation(context: LiftContext): void {
  context.extension.subscriptions.push(commands.registerCommand('lift.evaluate', () => chooseAndEvaluate(context)));
}

async function chooseAndEvaluate(context: LiftContext): Promise<void> {
  try {
    const folder = await chooseFolder(context, l10n.t('Evaluate'));
    if (folder !== undefined) await evaluate(context, folder);
  } catch (error) {
    void window.showErrorMessage(l10n.t('LIFT: {0}', error instanceof Error ? error.message : String(error)));
  }
}

/** Measures and shows; nothing where the user does not want to wait. Errors: those of the host. */
async function evaluate({ host }: LiftContext, { folder, state }: AbsorbedFolder): Promise<void> {
  const minutes = Math.min(mostMinutes, absorbOptions(folder).minutes ?? mostMinutes);
  const start = l10n.t('Evaluate');
  const answer = await window.showInformationMessage(
    l10n.t('Evaluate {0}?', folder.name),
    {
      modal: true,
      detail: l10n.t(
        'An adapter is trained for this alone, for {0} minutes, and 100 questions are put to the model with it, without it, and with texts of the repository in the prompt. Your adapter does not change. It takes about {1} minutes.',
        minutes,
        2 * minutes,
      ),
    },
    start,
  );
  if (answer !== start) return;
  const evaluation = await cancellable(l10n.t('Evaluating {0}', folder.name), async (token, report) => {
    let stage = '';
    const progress = host.onNotification('eval/progress', (told) => {
      if (told.folder !== state.folder) return;
      const current = `${told.stage} ${told.name}`;
      // Each stage begins anew, and a bar does not go back: what is done of it is said in words.
      const increment = current === stage ? 0 : 100 / stagesInAll;
      stage = current;
      report({ increment, message: `${stageText(told.stage)}: ${told.name}, ${Math.round(100 * told.done)} %` });
    });
    try {
      return await host.request('eval/run', { folder: state.folder, minutes }, token);
    } finally {
      progress.dispose();
    }
  });
  if (evaluation !== undefined) showEvaluation(folder.name, evaluation);
}

/** One training, its measuring, that of the base, and the answers of six arms. */
const stagesInAll = 9;

function stageText(stage: 'training' | 'measuring' | 'answering'): string {
  if (stage === 'training') return l10n.t('Training');
  return stage === 'measuring' ? l10n.t('Measuring') : l10n.t('Answering');
}

export function showEvaluation(name: string, { html }: Evaluation): void {
  const panel = window.createWebviewPanel('lift.evaluation', l10n.t('Evaluation: {0}', name), ViewColumn.Active, {
    enableScripts: false,
    localResourceRoots: [],
  });
  panel.webview.html = html;
}
