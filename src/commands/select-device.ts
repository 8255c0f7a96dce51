/** Select Device…: what the model runs on. */
import { ConfigurationTarget, l10n, type QuickPickItem, window, workspace } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { deviceName } from '../settings.ts';

export async function selectDevice({ host }: LiftContext): Promise<void> {
  const current = deviceName();
  const used = host.state.device;
  const devices = [
    { name: 'auto', detail: l10n.t('The fastest device that is found and works.') },
    { name: 'cpu', detail: l10n.t('The processor: works everywhere.') },
    { name: 'webgpu', detail: l10n.t('A graphics card of any maker, through WebGPU.') },
    { name: 'cuda', detail: l10n.t('An NVIDIA graphics card, through its driver.') },
  ];
  const choices: (QuickPickItem & { name: string })[] = devices.map(({ name, detail }) => ({
    label: name === current ? `$(check) ${name}` : name,
    ...(name === used ? { description: l10n.t('in use') } : {}),
    detail,
    name,
  }));
  const chosen = await window.showQuickPick(choices, { title: l10n.t('Select Device'), matchOnDetail: true });
  if (chosen === undefined || chosen.name === current) return;
  // The host is started anew when the setting has changed.
  await workspace.getConfiguration('lift').update('device', chosen.name, ConfigurationTarget.Global);
}
