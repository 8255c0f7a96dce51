// Rust: items, impl blocks, traits, modules.
import { commentBefore, commentText } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, Import, ReadSymbols, SymbolKind } from '../symbols.ts';
import { callsBelow, oneLine, symbolFrom, typeText } from './reading.ts';

const plainItems: Record<string, SymbolKind> = {
  struct_item: 'struct',
  union_item: 'struct',
  enum_item: 'enum',
  type_item: 'type',
  macro_definition: 'macro',
};

export function readRustSymbols(root: SyntaxNode): ReadSymbols {
  const symbols: CodeSymbol[] = [];
  const imports: Import[] = [];
  readItems(root.children, symbols, imports);
  const inner = root.children.filter((node) => /^(\/\/!|\/\*!)/.test(node.text));
  return { symbols, imports, header: inner.length > 0 ? commentText(inner) : null };
}

function readItems(items: readonly SyntaxNode[], symbols: CodeSymbol[], imports: Import[]): void {
  items.forEach((node, index) => {
    const doc = outerComment(items, index);
    const name = node.child('name')?.text;
    const plain = plainItems[node.type];
    if (plain && name) symbols.push(symbolFrom(node, name, plain, { doc }));
    else if (node.type === 'function_item' && name) symbols.push(functionSymbol(node, name, null, doc));
    else if ((node.type === 'const_item' || node.type === 'static_item') && name)
      symbols.push(constantSymbol(node, name, null, doc));
    else if (node.type === 'trait_item' && name) {
      symbols.push(symbolFrom(node, name, 'trait', { doc }));
      readMembers(node.child('body'), name, symbols);
    } else if (node.type === 'impl_item') {
      const container = node.child('type')?.text.replace(/<.*$/s, '');
      if (!container) return;
      const trait = node.child('trait');
      // The methods of a trait are written once for each type, so that their names say little.
      if (!trait) readMembers(node.child('body'), container, symbols);
    } else if (node.type === 'use_declaration') {
      imports.push(useOf(node));
    } else if (node.type === 'mod_item') {
      const body = node.child('body');
      const isTest = index > 0 && /cfg\(test\)/.test((items[index - 1] as SyntaxNode).text);
      if (body && !isTest) readItems(body.children, symbols, []);
    }
  });
}

function outerComment(items: readonly SyntaxNode[], index: number): string | null {
  const doc = commentBefore(items, index);
  const previous = items[index - 1];
  return previous && /^(\/\/!|\/\*!)/.test(previous.text) ? null : doc;
}

function readMembers(body: SyntaxNode | null, container: string, symbols: CodeSymbol[]): void {
  const members = body?.children ?? [];
  members.forEach((member, index) => {
    const name = member.child('name')?.text;
    const doc = outerComment(members, index);
    if (!name) return;
    if (member.type === 'function_item' || member.type === 'function_signature_item')
      symbols.push(functionSymbol(member, name, container, doc));
    else if (member.type === 'const_item') symbols.push(constantSymbol(member, name, container, doc));
  });
}

function functionSymbol(node: SyntaxNode, name: string, container: string | null, doc: string | null): CodeSymbol {
  const parameters = (node.child('parameters')?.children ?? [])
    .filter((parameter) => parameter.type === 'parameter')
    .map((parameter) => oneLine(parameter.child('pattern')?.text ?? parameter.text));
  return symbolFrom(node, name, container === null ? 'function' : 'method', {
    container,
    doc,
    parameters,
    returns: typeText(node, 'return_type'),
    calls: callsBelow(node.child('body'), callOf),
    declarationOnly: !node.child('body'),
  });
}

function constantSymbol(node: SyntaxNode, name: string, container: string | null, doc: string | null): CodeSymbol {
  const value = node.child('value');
  const literal = value && (/_literal$/.test(value.type) || /^-[\d._]+$/.test(value.text)) ? value.text : null;
  return symbolFrom(node, name, 'constant', { container, doc, value: literal });
}

function useOf(node: SyntaxNode): Import {
  const argument = node.child('argument') ?? node;
  const list = argument.child('list');
  const module = oneLine((argument.child('path') ?? argument).text);
  const last = (text: string) => text.slice(text.lastIndexOf(':') + 1).trim();
  const nameOf = (one: SyntaxNode) => (one.child('alias') ?? one.child('name') ?? one).text;
  const names = list ? list.children.filter((one) => !one.child('list')).map(nameOf) : [last(nameOf(argument))];
  return { module, names, line: node.line };
}

function callOf(node: SyntaxNode): Call | null {
  if (node.type !== 'call_expression') return null;
  const callee = node.child('function');
  if (callee?.type === 'identifier') return { name: callee.text, receiver: null };
  if (callee?.type === 'scoped_identifier') {
    const path = callee.child('path')?.text ?? '';
    return { name: callee.textOf('name'), receiver: path === 'Self' ? 'self' : path };
  }
  if (callee?.type !== 'field_expression') return null;
  const value = callee.textOf('value');
  return { name: callee.textOf('field'), receiver: value === 'self' ? 'self' : oneLine(value).slice(0, 40) };
}
