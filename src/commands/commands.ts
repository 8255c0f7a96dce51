/** The commands of the palette and the menus, but for those of the view and of the diagnostics, which register their own. */
import { commands, l10n, window } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { absorbAll, pauseAll, refreshAll, resumeAll, stopAll } from './absorption.ts';
import { excludeFromAbsorption } from './exclude.ts';
import { manageAdapters } from './manage-adapters.ts';
import { exportAdapter, importAdapter, rollBackAdapter } from './move-adapter.ts';
import { selectDevice } from './select-device.ts';
import { selectModel } from './select-model.ts';

/** `restart`: ends the host and starts it anew, telling the user where that fails. */
export function activateCommands(context: LiftContext, restart: () => Promise<void>): void {
  const { extension, log } = context;
  const actions: Record<string, (...given: never[]) => unknown> = {
    'lift.absorb': () => absorbAll(context),
    'lift.refresh': () => refreshAll(context),
    'lift.pause': () => pauseAll(context),
    'lift.resume': () => resumeAll(context),
    'lift.stop': () => stopAll(context),
    'lift.selectModel': () => selectModel(context),
    'lift.selectDevice': () => selectDevice(context),
    'lift.manageAdapters': () => manageAdapters(context),
    'lift.rollBack': () => rollBackAdapter(context),
    'lift.exportAdapter': () => exportAdapter(context),
    'lift.importAdapter': () => importAdapter(context),
    'lift.exclude': excludeFromAbsorption,
    'lift.restartHost': restart,
    'lift.showLog': () => log.show(),
    'lift.openSettings': () =>
      commands.executeCommand('workbench.action.openSettings', `@ext:${extension.extension.id}`),
    'lift.manageTrust': () => commands.executeCommand('workbench.trust.manage'),
  };
  for (const [name, action] of Object.entries(actions)) {
    extension.subscriptions.push(
      commands.registerCommand(name, async (...given: never[]) => {
        try {
          await action(...given);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          log.error(`${name}: ${message}`);
          void showFailure(message, context.host.state.phase === 'untrusted');
        }
      }),
    );
  }
}

async function showFailure(message: string, isUntrusted: boolean): Promise<void> {
  const manageTrust = l10n.t('Manage Trust');
  const buttons = isUntrusted ? [manageTrust] : [];
  const answer = await window.showErrorMessage(l10n.t('LIFT: {0}', message), ...buttons);
  if (answer === manageTrust) await commands.executeCommand('lift.manageTrust');
}
