// What nodes of JavaScript and TypeScript trees say by themselves.
import type { SyntaxNode } from '../parse.ts';
import type { Call } from '../symbols.ts';
import { oneLine, unquoted } from './reading.ts';

export const functionTypes: ReadonlySet<string> = new Set([
  'function_expression',
  'arrow_function',
  'generator_function',
  'function',
]);

/** Names of the parameters of a function, method or arrow function; patterns and rest parameters as written. */
export function parametersOf(callable: SyntaxNode): string[] {
  const single = callable.child('parameter');
  if (single) return [single.text];
  const parameters = callable.child('parameters')?.children ?? [];
  return parameters.flatMap((parameter) => parameterName(parameter) ?? []);
}

function parameterName(parameter: SyntaxNode): string | null {
  switch (parameter.type) {
    case 'comment':
      return null;
    case 'identifier':
      return parameter.text;
    case 'required_parameter':
    case 'optional_parameter': {
      const pattern = parameter.child('pattern');
      return pattern ? (pattern.text === 'this' ? null : parameterName(pattern)) : null;
    }
    case 'assignment_pattern': {
      const left = parameter.child('left');
      return left && parameterName(left);
    }
    default:
      return oneLine(parameter.text);
  }
}

/** The declared return type, or null. */
export function returnTypeOf(callable: SyntaxNode): string | null {
  const annotation = callable.child('return_type');
  return annotation ? oneLine(annotation.text.replace(/^:\s*/, '')) : null;
}

/** What a class extends and implements. */
export function heritageOf(node: SyntaxNode): string[] {
  const heritage = node.firstOfType('class_heritage');
  if (!heritage) return [];
  const clauses = heritage.children.filter((child) => /_clause$/.test(child.type));
  if (clauses.length === 0) return heritage.children.map((child) => oneLine(child.text));
  return clauses.flatMap((clause) =>
    clause.children.filter((child) => child.type !== 'type_arguments').map((child) => oneLine(child.text)),
  );
}

/** A literal value as written, or null for what must be computed. */
export function literalOf(value: SyntaxNode): string | null {
  if (value.type === 'as_expression' || value.type === 'satisfies_expression')
    return value.children[0] ? literalOf(value.children[0]) : null;
  if (['number', 'string', 'true', 'false', 'null', 'regex'].includes(value.type)) return value.text;
  if (value.type === 'template_string' && !value.firstOfType('template_substitution')) return value.text;
  if (value.type === 'unary_expression' && value.child('argument')?.type === 'number') return value.text;
  if (value.type === 'binary_expression' && /^[\d_.\s*+<x()e-]+$/i.test(value.text)) return oneLine(value.text);
  if (value.type === 'new_expression' && /^new RegExp\((['"/])[^'"]*\1\)$/.test(value.text)) return value.text;
  return null;
}

/** The object literal behind `as const`, `satisfies` and Object.freeze, or null. */
export function frozenObject(value: SyntaxNode): SyntaxNode | null {
  if (value.type === 'object') return value;
  if (value.type === 'as_expression' || value.type === 'satisfies_expression')
    return value.children[0] ? frozenObject(value.children[0]) : null;
  if (value.type === 'call_expression' && value.child('function')?.text === 'Object.freeze') {
    const first = value.child('arguments')?.children[0];
    return first?.type === 'object' ? first : null;
  }
  return null;
}

/** The module of a call of require, also when a member of it is taken; null for anything else. */
export function requiredModule(node: SyntaxNode): string | null {
  if (node.type === 'member_expression') {
    const object = node.child('object');
    return object && requiredModule(object);
  }
  if (node.type !== 'call_expression' || node.child('function')?.text !== 'require') return null;
  const source = node.child('arguments')?.children[0];
  return source?.type === 'string' ? unquoted(source.text) : null;
}

/** The body of a function that is called where it is written, as modules were wrapped before there were modules; null for anything else. */
export function wrappedBody(expression: SyntaxNode): SyntaxNode | null {
  let call: SyntaxNode | undefined = expression;
  while (call && (call.type === 'parenthesized_expression' || call.type === 'unary_expression'))
    call = call.children[0];
  if (call?.type !== 'call_expression') return null;
  let callable = call.child('function');
  if (callable?.type === 'member_expression') callable = callable.child('object');
  if (callable?.type === 'parenthesized_expression') callable = callable.children[0] ?? null;
  return callable && functionTypes.has(callable.type) ? callable.child('body') : null;
}

/** The call that a node is, or null. */
export function callOf(node: SyntaxNode): Call | null {
  if (node.type !== 'call_expression' && node.type !== 'new_expression') return null;
  const callee = node.child(node.type === 'new_expression' ? 'constructor' : 'function');
  if (callee?.type === 'identifier') return callee.text === 'require' ? null : { name: callee.text, receiver: null };
  if (callee?.type !== 'member_expression') return null;
  const object = callee.child('object');
  const property = callee.child('property');
  if (!object || !property) return null;
  return { name: property.text, receiver: object.type === 'this' ? 'self' : oneLine(object.text).slice(0, 40) };
}
