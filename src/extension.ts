/** The extension's entry: makes what all features share, then lets each feature register itself. Nothing is started, read or watched before somebody asks. */
import { join } from 'node:path';
import { type ExtensionContext, env, l10n, version, window, workspace } from 'vscode';
import type { InitializeParams } from '../protocol/host.ts';
import { activateChat } from './chat/chat.ts';
import { activateCommands } from './commands/commands.ts';
import { activateDecorations } from './decorations/decorations.ts';
import { activateDiagnostics } from './diagnostics.ts';
import { WorkspaceFolders } from './folders/folders.ts';
import { blockedReason } from './host/blocked-reason.ts';
import { NativeHostClient } from './host/host-client.ts';
import type { LiftContext } from './lift-context.ts';
import { AbsorptionHold, machineSources } from './power/absorption-hold.ts';
import { activateEvaluation } from './report/evaluation.ts';
import { activateReport } from './report/report.ts';
import { deviceName, idleMilliseconds, modelFolder, powerRule, proxyVariables, weightForm } from './settings.ts';
import { activateStatusBar } from './status/status-bar.ts';
import { activateView } from './view/view.ts';

let close: (() => Promise<void>) | undefined;

export function activate(extension: ExtensionContext): void {
  const start = performance.now();
  const log = window.createOutputChannel('LIFT', { log: true });
  const inExtension = (path: string) => join(extension.extensionPath, path);
  const host = new NativeHostClient({
    launch: () => {
      const folder = modelFolder();
      const device = deviceName();
      return {
        executable: process.execPath,
        mainFile: inExtension('dist/main.js'),
        environment: proxyVariables(),
        initialize: {
          client: `${env.appName} ${version}`,
          storeRoot: extension.globalStorageUri.fsPath,
          ...(folder === undefined ? {} : { modelFolder: folder }),
          ...(device === 'auto' ? {} : { device: device as NonNullable<InitializeParams['device']> }),
          weights: weightForm(),
        },
      };
    },
    blocked: blockedReason,
    idleMilliseconds,
    log,
  });
  const hold = new AbsorptionHold(machineSources(powerRule));
  const folders = new WorkspaceFolders({
    extension,
    host,
    hold,
    log,
    watchWorkerFile: inExtension('dist/watch-worker.js'),
  });
  close = () => {
    // Absorptions first, so that none asks for a host again.
    folders.dispose();
    return host.close();
  };
  const context: LiftContext = { extension, log, host, folders };
  extension.subscriptions.push(
    log,
    folders,
    host,
    hold,
    folders.onDidChange(() => host.refreshState()),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('lift.power')) void hold.look();
      for (const folder of folders.all) {
        const isExcluding = ['lift.exclude', 'files.exclude'].some((name) =>
          change.affectsConfiguration(name, folder.folder),
        );
        if (isExcluding) void folder.reconfigure();
      }
      const isOtherModel = ['model', 'device', 'weights'].some((name) => change.affectsConfiguration(`lift.${name}`));
      if (isOtherModel && ['starting', 'ready', 'restarting', 'failed'].includes(host.state.phase)) void restart();
    }),
  );

  async function restart(): Promise<void> {
    try {
      await host.restart();
      await Promise.all(folders.all.map((folder) => folder.afterRestart()));
    } catch (error) {
      // The state of the host and the status bar show it too.
      void window.showErrorMessage(error instanceof Error ? error.message : l10n.t('The native host cannot start.'));
    }
  }

  activateStatusBar(context);
  activateCommands(context, restart);
  activateReport(context);
  activateEvaluation(context);
  activateView(context);
  activateChat(context);
  activateDecorations(context);
  activateDiagnostics(context);
  log.info(`activated in ${(performance.now() - start).toFixed(0)} ms`);
}

/** The editor waits for this when the window closes. */
export async function deactivate(): Promise<void> {
  await close?.();
}
