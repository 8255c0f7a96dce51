/** The one status-bar item: how much is absorbed, what is being done, what has changed since. A click refreshes or opens a menu. */
import { commands, l10n, MarkdownString, StatusBarAlignment, window } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { statusMenu } from './status-menu.ts';
import { statusText } from './status-text.ts';
import { tooltipCommands, tooltipText } from './tooltip-text.ts';

/** Progress comes several times a second; nobody reads faster. */
const millisecondsBetweenDrawings = 250;

export function activateStatusBar(context: LiftContext): void {
  const { extension, host, folders } = context;
  const item = window.createStatusBarItem('lift.status', StatusBarAlignment.Left, 50);
  item.name = 'LIFT';
  item.command = 'lift.statusClick';
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    timer = undefined;
    const states = folders.all.map(({ state }) => state);
    const { text, label } = statusText(host.state, states, folders.active?.state);
    item.text = text;
    item.accessibilityInformation = { label, role: 'button' };
    const tooltip = new MarkdownString(tooltipText(host.state, states, Date.now()), true);
    tooltip.isTrusted = { enabledCommands: tooltipCommands };
    item.tooltip = tooltip;
    setContextKeys(context);
  };
  const drawSoon = () => {
    timer ??= setTimeout(draw, millisecondsBetweenDrawings);
  };
  draw();
  item.show();
  extension.subscriptions.push(
    item,
    { dispose: () => clearTimeout(timer) },
    folders.onDidChange(drawSoon),
    host.onDidChangeState(drawSoon),
    commands.registerCommand('lift.statusClick', () => click(context)),
  );
}

/** Refreshes where something has changed and nothing is being done; otherwise shows what can be done. */
async function click(context: LiftContext): Promise<void> {
  const { all } = context.folders;
  const atRest = all.every(
    ({ state }) => state.phase === 'idle' || state.phase === 'empty' || state.phase === 'unknown',
  );
  const dirty = all.filter(({ state }) => state.phase === 'idle' && state.dirty > 0);
  if (atRest && dirty.length > 0) {
    await Promise.all(dirty.map((folder) => folder.absorb()));
    return;
  }
  const choices = statusMenu(
    context.host.state,
    all.map(({ state }) => state),
  );
  const chosen = await window.showQuickPick(choices, { title: 'LIFT', placeHolder: l10n.t('What should LIFT do?') });
  if (chosen !== undefined) await commands.executeCommand(chosen.command);
}

const lastKeys = new Map<string, boolean>();

/** For the `when` clauses of menus and keybindings. */
function setContextKeys({ folders }: LiftContext): void {
  const phases = new Set(folders.all.map(({ state }) => state.phase));
  const keys = {
    'lift.isAbsorbing': phases.has('busy') || phases.has('waiting') || phases.has('elsewhere'),
    'lift.isPaused': phases.has('paused'),
    'lift.hasAdapter': folders.all.some(({ state }) => state.version !== null),
    'lift.isDirty': folders.all.some(({ state }) => state.version !== null && state.dirty > 0),
  };
  for (const [key, value] of Object.entries(keys)) {
    if (lastKeys.get(key) === value) continue;
    lastKeys.set(key, value);
    void commands.executeCommand('setContext', key, value);
  }
}
