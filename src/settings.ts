/** The settings `lift.*` as values that are always valid, whatever stands in the user's file. */
import { type ConfigurationScope, workspace } from 'vscode';
import type { AbsorbStartParams, AdapterKindName, InitializeParams, PackagesName } from '../protocol/host.ts';

export type AutoAbsorb = 'off' | 'onSave' | 'afterDelay';
export type PowerRule = 'always' | 'pluggedIn' | 'considerate';

/** Absolute path of the base model's folder; undefined: the embedded model. */
export function modelFolder(): string | undefined {
  const folder = text('model').trim();
  return folder === '' ? undefined : folder;
}

export function deviceName(): string {
  return text('device') || 'auto';
}

/** How the base model lies in memory. */
export function weightForm(): NonNullable<InitializeParams['weights']> {
  return oneOf(['auto', 'float32', 'int8', 'int4'], text('weights'), 'auto');
}

export function autoAbsorb(scope: ConfigurationScope): AutoAbsorb {
  return oneOf(['off', 'onSave', 'afterDelay'], text('autoAbsorb', scope), 'afterDelay');
}

export function powerRule(): PowerRule {
  return oneOf(['always', 'pluggedIn', 'considerate'], text('power'), 'considerate');
}

/** Milliseconds; 0: never. */
export function idleMilliseconds(): number {
  return (numberWithin('idleMinutes', 0, 24 * 60) ?? 15) * 60_000;
}

/** The editor's own proxy, for a host that downloads a model; the environment's goes before it. */
export function proxyVariables(): Record<string, string> {
  const proxy: unknown = workspace.getConfiguration('http').get('proxy');
  return typeof proxy === 'string' && proxy !== '' ? { HTTPS_PROXY: proxy, HTTP_PROXY: proxy } : {};
}

/** What an absorption is asked for; what is not set is left to the model's recipe. */
export function absorbOptions(scope: ConfigurationScope): Omit<AbsorbStartParams, 'folder' | 'first'> {
  const minutes = numberWithin('budgetMinutes', 0.05, 7 * 24 * 60, scope);
  const rank = numberWithin('rank', 1, 1024, scope);
  const quota = numberWithin('quotaMegabytes', 1, 10_000_000);
  const kind = oneOf<AdapterKindName | 'auto'>(
    ['lora', 'full', 'gatedMemory', 'auto'],
    text('adapterKind', scope),
    'auto',
  );
  const packages = oneOf<PackagesName>(['auto', 'whole', 'each'], text('packages', scope), 'auto');
  return {
    ...(minutes === null ? {} : { minutes }),
    ...(rank === null ? {} : { rank: Math.round(rank) }),
    ...(quota === null ? {} : { quotaBytes: Math.round(quota * 1_000_000) }),
    ...(kind === 'auto' ? {} : { adapterKind: kind }),
    ...(packages === 'auto' ? {} : { packages }),
  };
}

function text(name: string, scope?: ConfigurationScope): string {
  const value: unknown = workspace.getConfiguration('lift', scope).get(name);
  return typeof value === 'string' ? value : '';
}

/** Null for what is no such number; 0 stands for “as the model's recipe says” in most. */
function numberWithin(name: string, least: number, most: number, scope?: ConfigurationScope): number | null {
  const value: unknown = workspace.getConfiguration('lift', scope).get(name);
  return typeof value === 'number' && value >= least && value <= most ? value : null;
}

function oneOf<T extends string>(names: readonly T[], value: string, otherwise: T): T {
  return names.find((name) => name === value) ?? otherwise;
}
