// Python: functions, classes, constants, documentation strings, absolute and relative imports.
import { commentBefore, docString } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, Import, ReadSymbols } from '../symbols.ts';
import { callsBelow, oneLine, symbolFrom, typeText } from './reading.ts';

export function readPythonSymbols(root: SyntaxNode, path: string): ReadSymbols {
  const symbols: CodeSymbol[] = [];
  const imports: Import[] = [];
  readBody(root.children, null, path.endsWith('.pyi'), symbols, imports);
  return { symbols, imports, header: docStringOf(root) };
}

function readBody(
  statements: readonly SyntaxNode[],
  container: string | null,
  stub: boolean,
  symbols: CodeSymbol[],
  imports: Import[],
): void {
  statements.forEach((statement, index) => {
    const node = statement.type === 'decorated_definition' ? (statement.child('definition') ?? statement) : statement;
    const name = node.child('name')?.text;
    const comment = commentBefore(statements, index);
    switch (node.type) {
      case 'function_definition': {
        // A property is read like a value, not called.
        const decorators = statement.children.filter((child) => child.type === 'decorator').map((child) => child.text);
        if (!name || decorators.some((text) => /property\b|\.setter\b|\.getter\b|overload\b/.test(text))) break;
        const isStatic = decorators.some((text) => /staticmethod/.test(text));
        symbols.push(functionSymbol(node, name, container, isStatic, comment, stub));
        break;
      }
      case 'class_definition': {
        if (!name) break;
        const bases =
          node
            .child('superclasses')
            ?.children.filter((child) => child.type !== 'keyword_argument')
            .map((child) => oneLine(child.text)) ?? [];
        symbols.push(
          symbolFrom(node, name, 'class', {
            container,
            bases,
            doc: docStringOf(node.child('body')) ?? comment,
            declarationOnly: stub,
          }),
        );
        if (container === null) readBody(node.child('body')?.children ?? [], name, stub, symbols, imports);
        break;
      }
      case 'expression_statement': {
        const constant = constantOf(node, container, comment);
        if (constant) symbols.push(constant);
        break;
      }
      case 'import_statement':
      case 'import_from_statement':
        imports.push(...importsOf(node));
        break;
      case 'if_statement':
      case 'try_statement':
        for (const block of [node, ...node.children]) {
          const body = block.firstOfType('block');
          if (body && container === null) readBody(body.children, container, stub, symbols, imports);
        }
        break;
    }
  });
}

function functionSymbol(
  node: SyntaxNode,
  name: string,
  container: string | null,
  isStatic: boolean,
  comment: string | null,
  stub: boolean,
): CodeSymbol {
  const parameters = node.child('parameters')?.children.flatMap((parameter) => parameterName(parameter) ?? []) ?? [];
  const bound = container !== null && !isStatic;
  return symbolFrom(node, name, container === null ? 'function' : 'method', {
    container,
    parameters: bound ? parameters.slice(1) : parameters,
    returns: typeText(node, 'return_type'),
    doc: docStringOf(node.child('body')) ?? comment,
    calls: callsBelow(node.child('body'), callOf),
    declarationOnly: stub,
  });
}

function parameterName(parameter: SyntaxNode): string | null {
  if (['comment', 'keyword_separator', 'positional_separator'].includes(parameter.type)) return null;
  if (parameter.type === 'typed_parameter') return parameter.children[0] ? parameterName(parameter.children[0]) : null;
  return (parameter.child('name') ?? parameter).text;
}

function docStringOf(body: SyntaxNode | null): string | null {
  const first = body?.children.find((child) => child.type !== 'comment');
  const literal = first?.type === 'expression_statement' ? first.firstOfType('string') : null;
  return literal ? docString(literal.text) : null;
}

function constantOf(node: SyntaxNode, container: string | null, doc: string | null): CodeSymbol | null {
  const assignment = node.firstOfType('assignment');
  const left = assignment?.child('left');
  const right = assignment?.child('right');
  if (!assignment || left?.type !== 'identifier' || !right || left.text === '_') return null;
  const constant = /^_{0,2}[A-Z][A-Z0-9_]*$/.test(left.text);
  if (container !== null && !constant) return null;
  const value = constant && isLiteral(right) ? right.text : null;
  return symbolFrom(assignment, left.text, constant ? 'constant' : 'variable', {
    container,
    doc,
    value,
    calls: callsBelow(right, callOf),
  });
}

function isLiteral(node: SyntaxNode): boolean {
  if (node.type === 'string') return !node.firstOfType('interpolation');
  if (node.type === 'unary_operator') return /^-[\d._]+$/.test(node.text);
  return ['integer', 'float', 'true', 'false', 'none'].includes(node.type);
}

function importsOf(node: SyntaxNode): Import[] {
  const names = node.children.filter((child) => child.field === 'name');
  const localName = (name: SyntaxNode) => (name.child('alias') ?? name).text;
  const module = node.child('module_name')?.text;
  if (module !== undefined) return [{ module, names: names.map(localName), line: node.line }];
  return names.map((name) => ({
    module: (name.child('name') ?? name).text,
    names: [localName(name)],
    line: node.line,
  }));
}

function callOf(node: SyntaxNode): Call | null {
  if (node.type !== 'call') return null;
  const callee = node.child('function');
  if (callee?.type === 'identifier') return { name: callee.text, receiver: null };
  if (callee?.type !== 'attribute') return null;
  const object = callee.textOf('object');
  const name = callee.textOf('attribute');
  return { name, receiver: object === 'self' || object === 'cls' ? 'self' : oneLine(object).slice(0, 40) };
}
