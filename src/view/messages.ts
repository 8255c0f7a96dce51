/** What the page may post: every message is checked for its shape before anything acts on it, because the page shows what a model wrote. */
import type {
  AbsorptionAction,
  CitationLink,
  FileMention,
  FromView,
  Switches,
  ViewCommand,
} from '../../protocol/view.ts';

/** Far more than anybody types or a model writes. Characters. */
const LONGEST_TEXT = 2_000_000;
const LONGEST_PATH = 4096;
const MOST_MENTIONS = 50;

const ABSORPTION_ACTIONS: readonly AbsorptionAction[] = ['absorb', 'refresh', 'pause', 'resume', 'stop'];
const SWITCHES: readonly (keyof Switches)[] = ['adapter', 'evidence', 'openFiles'];
const VIEW_COMMANDS: readonly ViewCommand[] = [
  'lift.selectModel',
  'lift.selectDevice',
  'lift.manageAdapters',
  'lift.showReport',
  'lift.showLog',
  'lift.openSettings',
  'lift.manageTrust',
  'lift.restartHost',
];

/** The message, with the known fields and no others; null where it is none that the page may post. */
export function readMessage(value: unknown): FromView | null {
  if (!isRecord(value)) return null;
  switch (value.type) {
    case 'ready':
    case 'stop':
    case 'newConversation':
    case 'restoreContext':
      return { type: value.type };
    case 'ask': {
      const mentions = readMentions(value.mentions);
      return isText(value.question) && mentions !== null ? { type: 'ask', question: value.question, mentions } : null;
    }
    case 'retry':
      return isName(value.turnId) ? { type: 'retry', turnId: value.turnId } : null;
    case 'openConversation':
    case 'deleteConversation':
      return isName(value.id) ? { type: value.type, id: value.id } : null;
    case 'removeContext':
      return isName(value.id) ? { type: 'removeContext', id: value.id } : null;
    case 'openCitation': {
      const citation = readCitation(value.citation);
      return isName(value.folder) && citation !== null
        ? { type: 'openCitation', folder: value.folder, citation }
        : null;
    }
    case 'copy':
    case 'insertAtCursor':
      return isText(value.text) ? { type: value.type, text: value.text } : null;
    case 'newFile':
      return isText(value.text) && typeof value.language === 'string' && value.language.length <= 100
        ? { type: 'newFile', text: value.text, language: value.language }
        : null;
    case 'setSwitch': {
      const name = oneOf(SWITCHES, value.name);
      return name !== null && typeof value.on === 'boolean' ? { type: 'setSwitch', name, on: value.on } : null;
    }
    case 'findFiles':
      return typeof value.query === 'string' && value.query.length <= LONGEST_PATH
        ? { type: 'findFiles', query: value.query }
        : null;
    case 'absorption': {
      const action = oneOf(ABSORPTION_ACTIONS, value.action);
      return action !== null && isName(value.folder) ? { type: 'absorption', action, folder: value.folder } : null;
    }
    case 'openLink':
      return isName(value.url) ? { type: 'openLink', url: value.url } : null;
    case 'runCommand': {
      const command = oneOf(VIEW_COMMANDS, value.command);
      return command !== null ? { type: 'runCommand', command } : null;
    }
    default:
      return null;
  }
}

function readMentions(value: unknown): FileMention[] | null {
  if (!Array.isArray(value) || value.length > MOST_MENTIONS) return null;
  const mentions: FileMention[] = [];
  for (const mention of value) {
    if (!isRecord(mention) || !isName(mention.folder) || !isName(mention.path)) return null;
    mentions.push({ folder: mention.folder, path: mention.path });
  }
  return mentions;
}

function readCitation(value: unknown): CitationLink | null {
  if (!isRecord(value) || !isName(value.path) || !isLine(value.startLine) || !isLine(value.endLine)) return null;
  return { path: value.path, startLine: value.startLine, endLine: value.endLine };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= LONGEST_TEXT;
}

/** An id, a path or an address. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= LONGEST_PATH && !value.includes('\0');
}

function isLine(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | null {
  return allowed.find((candidate) => candidate === value) ?? null;
}
