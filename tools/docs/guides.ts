/**
 * The list of the guides: docs/README.md, whose headings are the groups and whose lines are the pages.
 *
 * @module
 */

/** A guide as the list has it. */
export interface Guide {
  readonly title: string;
  /** Where it is in the repository. */
  readonly path: string;
  /** What it is about, in one line. */
  readonly line: string;
}

/** Some guides under a common heading. */
export interface GuideGroup {
  readonly title: string;
  readonly guides: readonly Guide[];
}

const LINE = /^- \[([^\]]+)\]\(([^)]+)\): (.+)$/;

/**
 * Reads the list.
 *
 * @throws {Error} If a page of docs/ is not in it.
 */
export function readGuides(root: string): readonly GuideGroup[] {
  const list = Deno.readTextFileSync(`${root}docs/README.md`).replaceAll(/\n {2,}(?=\S)/g, " ");
  const groups: { title: string; guides: Guide[] }[] = [];
  for (const line of list.split("\n")) {
    if (line.startsWith("## ")) groups.push({ title: line.slice(3), guides: [] });
    const [, title, link, about] = LINE.exec(line) ?? [];
    if (link === undefined) continue;
    groups.at(-1)?.guides.push({
      title,
      path: new URL(link, "file:///docs/").pathname.slice(1),
      line: about,
    });
  }
  const listed = new Set(groups.flatMap(({ guides }) => guides.map(({ path }) => path)));
  for (const { name } of Deno.readDirSync(`${root}docs`)) {
    if (!name.endsWith(".md") || name === "README.md" || listed.has(`docs/${name}`)) continue;
    throw new Error(`Cannot build the site: docs/README.md does not list ${name}`);
  }
  return groups;
}

/** What a machine that reads the site gets first: each page in one line, as Markdown. */
export function llmsText(groups: readonly GuideGroup[], summary: string): string {
  const lines = ["# json-dict", "", `> ${summary}`];
  for (const { title, guides } of groups) {
    lines.push("", `## ${title}`, "");
    for (const guide of guides) lines.push(`- [${guide.title}](${guide.path}): ${guide.line}`);
  }
  return `${lines.join("\n")}\n`;
}
