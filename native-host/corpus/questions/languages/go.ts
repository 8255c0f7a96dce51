// Go: functions, methods with their receivers, types, constants.
import { commentBefore } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, Import, ReadSymbols } from '../symbols.ts';
import { callsBelow, oneLine, symbolFrom, typeText, unquoted } from './reading.ts';

export function readGoSymbols(root: SyntaxNode): ReadSymbols {
  const symbols: CodeSymbol[] = [];
  const imports: Import[] = [];
  root.children.forEach((node, index) => {
    const doc = commentBefore(root.children, index);
    switch (node.type) {
      case 'function_declaration':
      case 'method_declaration':
        symbols.push(functionSymbol(node, doc));
        break;
      case 'type_declaration':
        readSpecs(node, doc, (spec, specDoc) => symbols.push(typeSymbol(spec, specDoc)));
        break;
      case 'const_declaration':
      case 'var_declaration':
        readSpecs(node, doc, (spec, specDoc) => symbols.push(...valueSymbols(spec, specDoc)));
        break;
      case 'import_declaration':
        readSpecs(node, null, (spec) => imports.push(importOf(spec)));
        break;
      case 'package_clause':
        break;
    }
  });
  const packageIndex = root.children.findIndex((node) => node.type === 'package_clause');
  const header = packageIndex > 0 ? commentBefore(root.children, packageIndex) : null;
  return { symbols, imports, header };
}

function readSpecs(node: SyntaxNode, doc: string | null, read: (spec: SyntaxNode, doc: string | null) => void): void {
  const isSpec = (child: SyntaxNode) => /_spec$|^type_alias$/.test(child.type);
  const list = node.children.find((child) => /_spec_list$/.test(child.type)) ?? node;
  const single = list.children.filter(isSpec).length === 1;
  list.children.forEach((child, index) => {
    if (isSpec(child)) read(child, commentBefore(list.children, index) ?? (single ? doc : null));
  });
}

function functionSymbol(node: SyntaxNode, doc: string | null): CodeSymbol {
  const receiver =
    node
      .child('receiver')
      ?.children[0]?.child('type')
      ?.text.replace(/^\*|\[.*$/g, '') ?? null;
  const receiverName = node.child('receiver')?.children[0]?.child('name')?.text ?? null;
  const parameters = (node.child('parameters')?.children ?? []).flatMap((parameter) =>
    parameter.children
      .filter((child) => child.field === 'name')
      .map((name) => (parameter.type.startsWith('variadic') ? `...${name.text}` : name.text)),
  );
  return symbolFrom(node, node.textOf('name'), receiver === null ? 'function' : 'method', {
    container: receiver,
    doc,
    parameters,
    returns: typeText(node, 'result'),
    calls: callsBelow(node.child('body'), (at) => callOf(at, receiverName)),
    declarationOnly: !node.child('body'),
  });
}

function typeSymbol(spec: SyntaxNode, doc: string | null): CodeSymbol {
  const type = spec.child('type')?.type;
  const kind = type === 'struct_type' ? 'struct' : type === 'interface_type' ? 'interface' : 'type';
  return symbolFrom(spec, spec.textOf('name'), kind, { doc });
}

function valueSymbols(spec: SyntaxNode, doc: string | null): CodeSymbol[] {
  const names = spec.children.filter((child) => child.field === 'name' && child.text !== '_');
  const values = spec.child('value')?.children ?? [];
  const kind = spec.type === 'const_spec' ? 'constant' : 'variable';
  return names.map((name, index) => {
    const value = values[index];
    const literal =
      value && kind === 'constant' && /_literal$|^(true|false)$/.test(value.type) && value.type !== 'composite_literal'
        ? value.text
        : null;
    return symbolFrom(spec, name.text, kind, { doc, value: literal });
  });
}

function importOf(spec: SyntaxNode): Import {
  const module = unquoted(spec.textOf('path'));
  const name = spec.child('name')?.text ?? module.slice(module.lastIndexOf('/') + 1);
  return { module, names: [name], line: spec.line };
}

function callOf(node: SyntaxNode, receiverName: string | null): Call | null {
  if (node.type !== 'call_expression') return null;
  const callee = node.child('function');
  if (callee?.type === 'identifier') return { name: callee.text, receiver: null };
  if (callee?.type !== 'selector_expression') return null;
  const operand = callee.textOf('operand');
  return {
    name: callee.textOf('field'),
    receiver: operand === receiverName ? 'self' : oneLine(operand).slice(0, 40),
  };
}
