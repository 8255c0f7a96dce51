/** LIFT in other chats: the participant `@lift`, the model for any chat to choose, and the tool for other models to ask. */
import * as vscode from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { registerAskCodebaseTool } from './ask-codebase-tool.ts';
import { registerModelProvider } from './model-provider.ts';
import { registerParticipant } from './participant.ts';

/** Editors that are built on VS Code may lack any of these interfaces; what is there is used. */
export function activateChat(context: LiftContext): void {
  const chat: Partial<typeof vscode.chat> | undefined = vscode.chat;
  const lm: Partial<typeof vscode.lm> | undefined = vscode.lm;
  const features = [
    { name: 'the chat participant', isThere: chat?.createChatParticipant, register: registerParticipant },
    { name: 'the model provider', isThere: lm?.registerLanguageModelChatProvider, register: registerModelProvider },
    { name: 'the tool', isThere: lm?.registerTool, register: registerAskCodebaseTool },
  ];
  for (const { name, isThere, register } of features) {
    if (typeof isThere !== 'function') {
      context.log.info(`this editor has no interface for ${name}`);
      continue;
    }
    try {
      context.extension.subscriptions.push(register(context));
    } catch (error) {
      context.log.warn(`${name} cannot be registered: ${error}`);
    }
  }
}
