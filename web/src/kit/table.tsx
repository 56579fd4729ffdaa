// A list of things as a table, and on a narrow screen as cards: one description of its columns serves both.
import type { ComponentChildren } from "preact";
import { Button } from "./button";

export interface Column<T> {
    title: string;
    cell: (row: T) => ComponentChildren;
    numeric?: boolean;
    /** Takes what width is left. */
    wide?: boolean;
    /** Its title is for those who cannot see: actions, mostly. */
    untitled?: boolean;
}

export function Table<T extends { id: string }>({ label, columns, rows, hasMore, onMore }: { label: string; columns: Column<T>[]; rows: T[]; hasMore?: boolean; onMore?: () => void }) {
    return (
        <>
            <div class="table-frame" role="region" aria-label={label} tabIndex={0}>
                <table class="table">
                    <thead>
                        <tr>
                            {columns.map((column) => (
                                <th key={column.title} scope="col" class={`${column.numeric ? "numeric" : ""} ${column.wide ? "widest" : ""}`}>
                                    {column.untitled ? <span class="unseen">{column.title}</span> : column.title}
                                </th>
                            ))}
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map((row) => (
                            <tr key={row.id} data-id={row.id}>
                                {columns.map((column) => (
                                    <td key={column.title} class={`${column.numeric ? "numeric" : ""} ${column.wide ? "widest" : ""} ${column.untitled ? "untitled" : ""}`} data-title={column.untitled ? "" : column.title}>
                                        {column.cell(row)}
                                    </td>
                                ))}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
            {hasMore && (
                <div class="table-more">
                    <Button onPress={onMore}>Show more</Button>
                </div>
            )}
        </>
    );
}
