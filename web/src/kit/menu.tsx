// What can be done with the thing at hand, behind three dots.
import { Menu as AriakitMenu, MenuButton, MenuItem, MenuProvider } from "@ariakit/react";
import { Icon, type IconName } from "./icon";
import { toastError } from "./toast";

export interface Action {
    label: string;
    icon: IconName;
    danger?: boolean;
    /** What it does, or where it leads. */
    onPress?: () => unknown;
    href?: string;
    download?: boolean;
}

export function Menu({ label, actions }: { label: string; actions: (Action | false | "" | null | undefined)[] }) {
    const shown = actions.filter((action): action is Action => !!action);
    if (!shown.length) return null;
    return (
        <MenuProvider placement="bottom-end">
            <MenuButton class="button quiet small" aria-label={label}>
                <Icon name="more" />
            </MenuButton>
            <AriakitMenu gutter={4} class="menu" portal unmountOnHide>
                {shown.map((action) => (
                    <MenuItem
                        key={action.label}
                        class={`menu-item ${action.danger ? "danger" : ""}`}
                        render={action.href ? <a href={action.href} {...(action.download ? { download: "" } : {})} /> : undefined}
                        onClick={action.onPress && (() => void (async () => action.onPress!())().catch(toastError))}
                    >
                        <Icon name={action.icon} size={16} />
                        {action.label}
                    </MenuItem>
                ))}
            </AriakitMenu>
        </MenuProvider>
    );
}
