import { beforeEach, describe, expect, it, vi } from 'vitest';
import { activateChat } from '../../../src/chat/chat.ts';
import { HostUnavailableError } from '../../../src/host/host-errors.ts';
import { fakeContext } from '../fake-context.ts';
import {
  CancellationTokenSource,
  ChatRequestTurn,
  ChatResponseMarkdownPart,
  ChatResponseTurn,
  chat,
  documentOf,
  editorOf,
  inFolder,
  LanguageModelTextPart,
  Location,
  lm,
  MarkdownString,
  openWindow,
  Range,
  registered,
  window,
  workspace,
} from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

function open() {
  const fake = fakeContext();
  activateChat(fake.context);
  return fake;
}

const token = () => new CancellationTokenSource().token;
const reached = (asked: unknown[], count = 1) => vi.waitFor(() => expect(asked).toHaveLength(count));

beforeEach(() => openWindow('/a', '/b'));

describe('an editor that lacks interfaces', () => {
  it('gets the features that it has interfaces for', () => {
    const { createChatParticipant } = chat;
    const { registerTool } = lm;
    Object.assign(chat, { createChatParticipant: undefined });
    Object.assign(lm, { registerTool: undefined });
    const { log } = open();
    Object.assign(chat, { createChatParticipant });
    Object.assign(lm, { registerTool });
    expect([...registered.keys()]).toEqual(['lift']);
    expect(log).toHaveLength(2);
  });

  it('keeps the others where one is refused', () => {
    const refusing = vi.spyOn(lm, 'registerTool').mockImplementation(() => {
      throw new Error('not contributed');
    });
    open();
    refusing.mockRestore();
    expect([...registered.keys()]).toEqual(['lift.chat', 'lift']);
  });
});

interface Participant {
  handler(...parameters: unknown[]): Promise<{ errorDetails?: { message: string }; metadata?: unknown }>;
  followupProvider: { provideFollowups(result: unknown): { prompt: string }[] };
}

describe('the participant', () => {
  function stream() {
    const parts: unknown[][] = [];
    const part =
      (kind: string) =>
      (...values: unknown[]) =>
        parts.push([kind, ...values]);
    const markdown = () =>
      parts
        .filter(([kind]) => kind === 'markdown')
        .map(([, text]) => text)
        .join('');
    return {
      markdown: part('markdown'),
      anchor: part('anchor'),
      reference: part('reference'),
      button: part('button'),
      parts,
      text: markdown,
    };
  }
  const participant = () => registered.get('lift.chat') as Participant;
  const request = (prompt: string, references: unknown[] = []) => ({ prompt, references });

  it('streams the answer, then shows its places as links', async () => {
    const { asked } = open();
    const out = stream();
    const ended = participant().handler(request('why?'), { history: [] }, out, token());
    await reached(asked);
    asked[0]!.say('be');
    asked[0]!.say('cause');
    expect(out.text()).toBe('because');
    asked[0]!.answer({ citations: [{ path: 'src/x.ts', startLine: 4, endLine: 6 }], unknownPaths: ['no/y.ts'] });
    const result = await ended;
    const [, location, title] = out.parts.find(([kind]) => kind === 'anchor') as [string, Location, string];
    expect(title).toBe('src/x.ts:4');
    expect(location.uri.path).toBe('/a/src/x.ts');
    expect([location.range.start.line, location.range.end.line]).toEqual([3, 5]);
    expect(out.text()).toContain('Not in this workspace: `no/y.ts`');
    expect(
      participant()
        .followupProvider.provideFollowups(result)
        .map(({ prompt }) => prompt),
    ).toEqual(['What is src/x.ts for?']);
  });

  it('takes its own earlier turns along, and what the user attached', async () => {
    const { asked } = open();
    const document = documentOf(inFolder('/a', 'x.ts'), '1\n2\n3\n4');
    workspace.textDocuments = [document];
    window.activeTextEditor = editorOf(document);
    const answer = [new ChatResponseMarkdownPart(new MarkdownString('first.'))];
    const history = [
      new ChatRequestTurn('other?', 'copilot'),
      new ChatResponseTurn(answer, 'copilot'),
      new ChatRequestTurn('first?', 'lift.chat'),
      new ChatResponseTurn(answer, 'lift.chat'),
      new ChatRequestTurn('cut off?', 'lift.chat'),
    ];
    const attached = { value: new Location(document.uri, new Range(1, 0, 2, 1)) };
    const ended = participant().handler(request('why?', [attached, { value: 'text' }]), { history }, stream(), token());
    await reached(asked);
    expect(asked[0]!.params.conversation).toEqual([{ question: 'first?', answer: 'first.' }]);
    expect(asked[0]!.params.openFiles).toEqual([{ path: 'x.ts', text: '1\n2\n3\n4', selection: { from: 2, to: 3 } }]);
    asked[0]!.answer();
    await ended;
  });

  it('shows what is open', async () => {
    const { asked } = open();
    const document = documentOf(inFolder('/a', 'x.ts'), 'text');
    workspace.textDocuments = [document];
    window.activeTextEditor = editorOf(document);
    const ended = participant().handler(request('why?'), { history: [] }, stream(), token());
    await reached(asked);
    expect(asked[0]!.params.openFiles).toMatchObject([{ path: 'x.ts', text: 'text' }]);
    asked[0]!.answer();
    await ended;
  });

  it('offers to absorb where the base model answered', async () => {
    const { asked } = open();
    const out = stream();
    const ended = participant().handler(request('why?'), { history: [] }, out, token());
    await reached(asked);
    asked[0]!.answer({ version: null });
    await ended;
    expect(out.parts.at(-1)).toEqual(['button', { command: 'lift.absorb', title: 'Absorb Workspace' }]);
  });

  it('says what went wrong, and nothing when the user stopped it', async () => {
    const { asked } = open();
    const failing = participant().handler(request('why?'), { history: [] }, stream(), token());
    await reached(asked);
    asked[0]!.fail(new HostUnavailableError('trust this workspace first', false));
    expect(await failing).toEqual({ errorDetails: { message: 'trust this workspace first' } });
    const source = new CancellationTokenSource();
    const stopped = participant().handler(request('why?'), { history: [] }, stream(), source.token);
    await reached(asked, 2);
    source.cancel();
    expect(await stopped).toEqual({});
  });
});

interface Tool {
  invoke(options: { input: unknown }, token: unknown): Promise<{ content: LanguageModelTextPart[] }>;
  prepareInvocation(options: { input: { question: string } }): { invocationMessage: MarkdownString };
}

describe('the tool', () => {
  const tool = () => registered.get('lift_askCodebase') as Tool;

  it('gives another model the answer with its checked places, and nothing that is open', async () => {
    const { asked } = open();
    window.activeTextEditor = editorOf(documentOf(inFolder('/a', '.env'), 'KEY=1'));
    const ended = tool().invoke({ input: { question: 'why?', folder: 'b' } }, token());
    await reached(asked);
    expect(asked[0]!.params).toMatchObject({ folder: '/b', openFiles: [], useAdapter: true });
    asked[0]!.answer({
      answer: 'because',
      citations: [{ path: 'x.ts', startLine: 1, endLine: 2 }],
      unknownSymbols: ['frob'],
    });
    const [{ value }] = (await ended).content as [LanguageModelTextPart];
    expect(value).toMatch(/^because\n.*x\.ts:1-2.*doubt them: frob/s);
  });

  it.each([
    [{ question: ' ' }, /empty/],
    [{ question: 'why?', folder: 'c' }, /no folder c.*a, b/],
    [{}, /empty/],
  ])('refuses %j', async (input, message) => {
    open();
    await expect(tool().invoke({ input }, token())).rejects.toThrow(message);
  });

  it('does not pass off the base model as knowing the folder', async () => {
    const { asked } = open();
    const ended = tool().invoke({ input: { question: 'why?' } }, token());
    await reached(asked);
    asked[0]!.answer({ version: null });
    await expect(ended).rejects.toThrow(/Nothing of a has been absorbed/);
  });

  it('says what it asks', () => {
    open();
    const { invocationMessage } = tool().prepareInvocation({ input: { question: `why?\n${'x'.repeat(200)}` } });
    expect(invocationMessage.value).toMatch(/^Asking LIFT: why\? x{95}…$/);
  });
});

interface Provider {
  provideLanguageModelChatInformation(): { name: string; maxInputTokens: number; maxOutputTokens: number }[];
  provideLanguageModelChatResponse(...parameters: unknown[]): Promise<void>;
  provideTokenCount(model: unknown, text: unknown): Promise<number>;
  onDidChangeLanguageModelChatInformation(listener: () => void): void;
}

describe('the model', () => {
  const provider = () => registered.get('lift') as Provider;
  const message = (role: number, ...texts: string[]) => ({
    role,
    content: [...texts.map((text) => new LanguageModelTextPart(text)), { data: 'an image' }],
  });

  it('is offered with the window that the host tells', async () => {
    const { hostChange, host } = open();
    const changed = vi.fn();
    provider().onDidChangeLanguageModelChatInformation(changed);
    expect(provider().provideLanguageModelChatInformation()).toMatchObject([
      { name: 'LIFT: a', maxInputTokens: 768, capabilities: { toolCalling: true } },
    ]);
    hostChange.fire(host.state);
    await vi.waitFor(() =>
      expect(provider().provideLanguageModelChatInformation()).toMatchObject([
        { maxInputTokens: 1536, maxOutputTokens: 512 },
      ]),
    );
    expect(changed).toHaveBeenCalled();
  });

  it('is not offered where it may not run', () => {
    const { host, folders } = open();
    host.state.phase = 'untrusted';
    expect(provider().provideLanguageModelChatInformation()).toEqual([]);
    host.state.phase = 'ready';
    Object.assign(folders, { active: undefined });
    expect(provider().provideLanguageModelChatInformation()).toEqual([]);
  });

  it('answers the last message and takes the pairs before it along', async () => {
    const { asked } = open();
    const report = vi.fn();
    const messages = [message(1, 'first?'), message(2, 'first', '.'), message(1, 'rules'), message(1, 'why?')];
    const ended = provider().provideLanguageModelChatResponse({}, messages, {}, { report }, token());
    await reached(asked);
    expect(asked[0]!.params).toMatchObject({
      question: 'why?',
      conversation: [{ question: 'first?', answer: 'first.' }],
      openFiles: [],
    });
    asked[0]!.say('be');
    asked[0]!.say('cause');
    asked[0]!.answer();
    await ended;
    expect(report.mock.calls.map(([part]) => part.value)).toEqual(['be', 'cause']);
  });

  it('does not begin an answer anew behind what it has said', async () => {
    const { asked } = open();
    const ended = provider().provideLanguageModelChatResponse(
      {},
      [message(1, 'why?')],
      {},
      { report: vi.fn() },
      token(),
    );
    await reached(asked);
    asked[0]!.say('be');
    asked[0]!.fail(new HostUnavailableError('it ended', true));
    await expect(ended).rejects.toThrow(/Ask once more/);
    expect(asked).toHaveLength(1);
  });

  it('estimates tokens on the safe side', async () => {
    open();
    expect(await provider().provideTokenCount({}, 'x'.repeat(300))).toBe(100);
    expect(await provider().provideTokenCount({}, message(1, 'x'.repeat(299), 'y'))).toBe(100);
  });
});
