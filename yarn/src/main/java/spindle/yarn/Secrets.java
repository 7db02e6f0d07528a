package spindle.yarn;

import java.util.Locale;

/** Where a command line could hold a secret, which everyone on this machine can see and which would get into messages. */
final class Secrets {
    /** As for names in a job file, see src/config/schema.rs. */
    private static final String[] WORDS = {"password", "secret", "key", "token", "jaas"};
    /** What says where a secret is, or whether there is one, is none itself. */
    private static final String HARMLESS = ".*[.-](path|uri|file|enable|enabled)";

    private Secrets() {}

    /** Whether the value of this setting of Hadoop could be a secret. */
    static boolean inSetting(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        for (String word : WORDS) {
            if (lower.contains(word)) {
                return !lower.matches(HARMLESS);
            }
        }
        return false;
    }

    /** Whether a URL holds credentials: for OSS the rule of src/oss/url.rs, for others that of the generic syntax. */
    static boolean inUrl(String url) {
        int scheme = url.indexOf("://");
        if (scheme < 0) {
            return false;
        }
        String rest = url.substring(scheme + "://".length());
        int slash = rest.indexOf('/');
        String authority = slash < 0 ? rest : rest.substring(0, slash);
        // A secret may hold a slash: then the @ stands behind the first one, and a colon before it.
        boolean colonThenAt = authority.contains(":") && rest.contains("@");
        if (url.substring(0, scheme).toLowerCase(Locale.ROOT).matches("oss(ref)?")) {
            return authority.contains("@") || colonThenAt && !authority.contains(".");
        }
        boolean isPort = authority.matches("([^:]*@)?[^:@]*:[0-9]*");
        return colonThenAt && !isPort;
    }
}
