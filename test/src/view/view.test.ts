import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FromView, ToView } from '../../../protocol/view.ts';
import { activateView } from '../../../src/view/view.ts';
import { FakeMemento, fakeContext } from '../fake-context.ts';
import {
  documentOf,
  EventEmitter,
  editor,
  editorOf,
  inFolder,
  openWindow,
  Selection,
  type Uri,
  window,
  workspace,
} from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

function open(memento = new FakeMemento()) {
  const fake = fakeContext(memento);
  activateView(fake.context);
  const posted: ToView[] = [];
  const received = new EventEmitter<unknown>();
  const page = {
    visible: true,
    onDidDispose: new EventEmitter<void>().event,
    webview: {
      html: '',
      options: {} as { enableScripts?: boolean; localResourceRoots?: Uri[] },
      cspSource: 'https://page.test',
      asWebviewUri: (uri: Uri) => uri,
      onDidReceiveMessage: received.event,
      postMessage: (message: ToView) => posted.push(structuredClone(message)),
    },
  };
  const show = () => editor.webviewProviders.get('lift.view')!.resolveWebviewView(page);
  const say = (message: FromView) => received.fire(message);
  return { ...fake, posted, received, page, show, say };
}

const last = <T extends ToView['type']>(posted: ToView[], type: T) =>
  posted.findLast((message) => message.type === type) as Extract<ToView, { type: T }>;

const command = (id: string, ...parameters: unknown[]) =>
  (editor.commands.get(id) as (...all: unknown[]) => unknown)(...parameters);

describe('the view', () => {
  beforeEach(() => openWindow('/a'));

  it('has a policy that lets nothing run or load but its own script and style', () => {
    const { page, show } = open();
    show();
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page.webview.html)![1]!;
    const directives = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0]!, rule.split(' ').slice(1)]));
    expect(directives.get('default-src')).toEqual(["'none'"]);
    expect(policy).not.toMatch(/unsafe|\*|data:|blob:/);
    const nonce = /'nonce-([^']+)'/.exec(policy)![1]!;
    expect(Buffer.from(nonce, 'base64').length).toBeGreaterThanOrEqual(16);
    expect(page.webview.html.match(/<script[^>]*>/g)).toEqual([
      `<script nonce="${nonce}" src="file:/extension/dist/webview/view.js">`,
    ]);
    expect(page.webview.html).not.toMatch(/ style=| on\w+=|<style/);
    expect(page.webview.options.localResourceRoots!.map(String)).toEqual(['file:/extension/dist/webview']);
    show();
    expect(page.webview.html).not.toContain(nonce);
  });

  it('tells a page that is ready everything', () => {
    const { posted, show, say } = open();
    show();
    expect(posted).toEqual([]);
    say({ type: 'ready' });
    const { state } = last(posted, 'state');
    expect(state.host.phase).toBe('ready');
    expect(state.folders.map(({ name }) => name)).toEqual(['a']);
    expect(state.switches).toEqual({ adapter: true, evidence: true, openFiles: true });
    expect(state.conversation.turns).toEqual([]);
  });

  it('ignores what is no message of the contract, and logs it', () => {
    const { received, show, posted, log } = open();
    show();
    received.fire({ type: 'runCommand', command: 'workbench.action.quit' });
    received.fire('nonsense');
    expect(editor.executed).toEqual([]);
    expect(posted).toEqual([]);
    expect(log).toHaveLength(2);
  });

  it('posts nothing to a hidden page, and the whole answer when it is shown again', async () => {
    const { posted, show, say, asked, page } = open();
    show();
    say({ type: 'ask', question: 'why?', mentions: [] });
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    page.visible = false;
    const before = posted.length;
    asked[0]!.say('because');
    asked[0]!.answer({ answer: 'because so' });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(posted).toHaveLength(before);
    page.visible = true;
    say({ type: 'ready' });
    expect(last(posted, 'state').state.conversation.turns[0]).toMatchObject({ phase: 'done', answer: 'because so' });
  });

  it('keeps switches for the workspace', () => {
    const memento = new FakeMemento();
    const first = open(memento);
    first.show();
    first.say({ type: 'setSwitch', name: 'evidence', on: false });
    expect(last(first.posted, 'context').switches).toEqual({ adapter: true, evidence: false, openFiles: true });
    const second = open(memento);
    second.show();
    second.say({ type: 'ready' });
    expect(last(second.posted, 'state').state.switches.evidence).toBe(false);
  });

  it('shows what goes along with a question while it does', () => {
    const { posted, show, say } = open();
    show();
    window.activeTextEditor = editorOf(documentOf(inFolder('/a', 'x.ts'), 'text'));
    say({ type: 'setSwitch', name: 'openFiles', on: true });
    expect(last(posted, 'context').context).toMatchObject([{ path: 'x.ts', kind: 'active' }]);
    say({ type: 'removeContext', id: last(posted, 'context').context[0]!.id });
    expect(last(posted, 'context').context).toEqual([]);
    say({ type: 'restoreContext' });
    expect(last(posted, 'context').context).toHaveLength(1);
    say({ type: 'setSwitch', name: 'openFiles', on: false });
    expect(last(posted, 'context').context).toEqual([]);
  });

  it('does for the page what it asks for, and nothing for folders that there are not', async () => {
    const { say, show, actions, posted } = open();
    show();
    say({ type: 'absorption', action: 'refresh', folder: '/a' });
    say({ type: 'absorption', action: 'pause', folder: '/a' });
    say({ type: 'absorption', action: 'stop', folder: '/elsewhere' });
    say({ type: 'runCommand', command: 'lift.showLog' });
    say({ type: 'copy', text: 'code' });
    say({ type: 'findFiles', query: 'listed' });
    await vi.waitFor(() => expect(last(posted, 'fileMatches')?.files).toHaveLength(1));
    expect(actions).toEqual(['absorb a', 'pause a']);
    expect(editor.executed).toEqual(['lift.showLog']);
    expect(editor.clipboard).toBe('code');
  });

  it('shows why something could not be done', async () => {
    const { say, show, folders } = open();
    show();
    folders.all[0]!.absorb = () => Promise.reject(new Error('no space left on the disk'));
    say({ type: 'absorption', action: 'absorb', folder: '/a' });
    await vi.waitFor(() => expect(editor.messages).toEqual(['LIFT: no space left on the disk']));
  });

  it('posts the folders’ states together, however often they change', async () => {
    const { posted, show, foldersChange, folders } = open();
    show();
    folders.all[0]!.state.skipped = Array.from({ length: 2000 }, (_, index) => ({ path: `${index}`, reason: 'large' }));
    for (let change = 0; change < 100; change++) foldersChange.fire();
    await vi.waitFor(() => expect(last(posted, 'folders')).toBeDefined());
    expect(posted.filter(({ type }) => type === 'folders')).toHaveLength(1);
    const { skipped } = last(posted, 'folders').folders[0]!;
    expect(skipped).toHaveLength(501);
    expect(skipped.at(-1)!.reason).toMatch(/^1500 more/);
  });

  it('opens and deletes conversations, and ends the answer that runs', async () => {
    const { posted, show, say, asked } = open();
    show();
    say({ type: 'ask', question: 'first?', mentions: [] });
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    const { id } = last(posted, 'conversation').conversation;
    say({ type: 'newConversation' });
    expect(asked[0]!.isCancelled).toBe(true);
    expect(last(posted, 'conversation').conversation.turns).toEqual([]);
    say({ type: 'openConversation', id });
    expect(last(posted, 'conversation').conversation.turns[0]!.phase).toBe('stopped');
    say({ type: 'deleteConversation', id });
    expect(last(posted, 'conversation').history).toEqual([]);
  });
});

describe('the commands that ask', () => {
  beforeEach(() => openWindow('/a'));

  it('asks what the user types, in the view', async () => {
    const { asked } = open();
    editor.answers.push(' where is it? ');
    const ended = command('lift.ask');
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    expect(asked[0]!.params.question).toBe('where is it?');
    expect(editor.executed).toContain('lift.view.focus');
    asked[0]!.answer();
    await ended;
  });

  it('asks nothing when the user types nothing', async () => {
    const { asked } = open();
    editor.answers.push(undefined, '  ');
    await command('lift.ask');
    await command('lift.ask');
    expect(asked).toEqual([]);
    expect(editor.executed).toEqual([]);
  });

  it('asks about the selection, whatever the switches say', async () => {
    const { asked, say, show } = open();
    show();
    say({ type: 'setSwitch', name: 'openFiles', on: false });
    const document = documentOf(inFolder('/a', 'x.ts'), 'a\nb\nc\nd');
    workspace.textDocuments = [document];
    window.activeTextEditor = editorOf(document, new Selection(1, 0, 2, 1));
    editor.answers.push('what is this?');
    const ended = command('lift.askAboutSelection');
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    expect(asked[0]!.params.openFiles).toMatchObject([{ path: 'x.ts', selection: { from: 2, to: 3 } }]);
    asked[0]!.answer();
    await ended;
  });

  it('says what to do where nothing is selected', async () => {
    const { asked } = open();
    await command('lift.askAboutSelection');
    expect(asked).toEqual([]);
    expect(editor.messages[0]).toMatch(/^Select the lines/);
  });

  it('reads nothing before it is used', async () => {
    const memento = new FakeMemento();
    const read = vi.spyOn(memento, 'get');
    open(memento);
    expect(editor.webviewProviders.has('lift.view')).toBe(true);
    expect(read).not.toHaveBeenCalled();
    await command('lift.newConversation');
    expect(read).toHaveBeenCalled();
  });
});
