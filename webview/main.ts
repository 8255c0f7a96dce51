// The sidebar page. It asks the extension for its state whenever it is loaded, draws what it is told, and posts what the user does.
import './styles/view.css';
import type { FolderState, HostState, ToView, ViewState } from '../protocol/view.ts';
import { AbsorptionPanel } from './absorption/absorption-panel.ts';
import { announcementRegion } from './announce.ts';
import { ConversationView } from './conversation/conversation-view.ts';
import { absorbedShare } from './conversation/coverage-line.ts';
import { keep, keptState, post } from './extension-link.ts';
import { percent } from './quantities.ts';
import { type Tabs, tabs } from './toolkit.ts';
import { useWords, word } from './words.ts';

interface Page {
  conversation: ConversationView;
  absorption: AbsorptionPanel;
  tabs: Tabs<'conversation' | 'absorption'>;
}

let page: Page | null = null;
let askedForState = false;
let lastFolders: { host: HostState; folders: FolderState[] } | null = null;

window.addEventListener('message', ({ data }: MessageEvent<ToView>) => {
  if (data.type === 'state') showState(data.state);
  else if (page) show(page, data);
});
// Ages such as “2 minutes ago” grow older by themselves.
setInterval(() => {
  if (page && lastFolders) page.absorption.show(lastFolders.host, lastFolders.folders);
}, 60_000);
post({ type: 'ready' });

function showState(state: ViewState): void {
  useWords(state.words);
  askedForState = false;
  page ??= build();
  const { conversation, history, folders, host, context, switches } = state;
  show(page, { type: 'folders', folders, host });
  show(page, { type: 'context', context, switches });
  show(page, { type: 'conversation', conversation, history });
}

function show({ conversation, absorption, tabs }: Page, message: Exclude<ToView, { type: 'state' }>): void {
  switch (message.type) {
    case 'conversation':
      conversation.showConversation(message.conversation, message.history);
      return;
    case 'turn':
      conversation.showTurn(message.turn);
      return;
    case 'delta':
      // Without its turn a delta can't be shown; the whole state brings both.
      if (conversation.append(message.turnId, message.text) || askedForState) return;
      askedForState = true;
      post({ type: 'ready' });
      return;
    case 'folders': {
      const { host, folders } = message;
      lastFolders = { host, folders };
      conversation.showFolders(host, folders);
      absorption.show(host, folders);
      const known = folders.some(({ version }) => version !== null);
      tabs.relabel('absorption', known ? word('Absorption {0}', percent(absorbedShare(folders))) : word('Absorption'));
      return;
    }
    case 'context':
      conversation.questionBox.showContext(message.context, message.switches);
      return;
    case 'fileMatches':
      conversation.questionBox.showFiles(message.query, message.files);
      return;
    case 'prefill':
      tabs.show('conversation');
      conversation.questionBox.fill(message.question, message.send);
      return;
  }
}

function build(): Page {
  const conversation = new ConversationView(() => made.tabs.show('absorption'));
  const absorption = new AbsorptionPanel();
  const made: Page = {
    conversation,
    absorption,
    tabs: tabs(
      [
        { id: 'conversation', label: word('Conversation'), content: conversation.element },
        { id: 'absorption', label: word('Absorption'), content: absorption.element },
      ],
      keptState().tab,
      (tab) => keep({ tab }),
    ),
  };
  document.getElementById('root')!.replaceChildren(made.tabs.element, announcementRegion());
  return made;
}
