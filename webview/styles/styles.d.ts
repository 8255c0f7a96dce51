// Style sheets are imported for the bundler, which puts them into view.css.
declare module '*.css';
