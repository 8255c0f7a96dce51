/** What the settings say about answers. */
import { type Uri, workspace } from 'vscode';

export interface AskSettings {
  /** Passages that are looked up; absent: as many as the host finds right. */
  evidence?: number;
  temperature: number;
  topP: number;
  maxTokens: number;
}

/** Values that make no sense are moved into the range that the host takes. */
export function askSettings(folder: Uri): AskSettings {
  const settings = workspace.getConfiguration('lift', folder);
  // The settings editor writes a number in a setting that may also be a word as text.
  const evidence = Number.parseInt(String(settings.get('evidence')), 10);
  return {
    ...(Number.isNaN(evidence) ? {} : { evidence: within(evidence, 0, 100) }),
    temperature: within(settings.get('temperature', 0), 0, 10),
    topP: 0.95,
    maxTokens: Math.round(within(settings.get('maxTokens', 256), 1, 65_536)),
  };
}

function within(value: number, least: number, most: number): number {
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
}
