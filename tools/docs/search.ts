/**
 * What the search of the site knows about one place.
 *
 * @module
 */

/** A place that can be found. */
export interface SearchEntry {
  /** A heading, or the name of a symbol. */
  readonly title: string;
  /** The page that it is on, or what kind of symbol it is. */
  readonly page: string;
  readonly text: string;
  /** A path from the root of the site. */
  readonly url: string;
  readonly isSymbol?: boolean;
}

/** The name that the data of the search have in a page. */
export const SEARCH_DATA = "jsonDictSearch";
