/** The input boxes of the commands Ask… and Ask About Selection. */
import { l10n, window } from 'vscode';
import type { OpenEditor } from '../ask/open-files.ts';

/** What the user asks; empty for nothing. */
export function inputQuestion(): Promise<string> {
  return input(l10n.t('Ask LIFT'), l10n.t('A question about this workspace'));
}

/** As inputQuestion, about the selected lines of an editor; says what to do where nothing is selected. */
export async function inputQuestionAboutSelection(editor: OpenEditor | undefined): Promise<string> {
  if (editor?.selection === undefined) {
    void window.showInformationMessage(
      l10n.t('Select the lines of a file of this workspace that you want to ask about.'),
    );
    return '';
  }
  const { from, to } = editor.selection;
  const lines = from === to ? l10n.t('line {0}', from) : l10n.t('lines {0}–{1}', from, to);
  return input(l10n.t('Ask LIFT about the selection'), l10n.t('A question about {0}, {1}', editor.path, lines));
}

async function input(title: string, prompt: string): Promise<string> {
  return (await window.showInputBox({ title, prompt, ignoreFocusOut: true }))?.trim() ?? '';
}
