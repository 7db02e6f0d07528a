package spindle.yarn;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.stream.JsonReader;
import java.io.IOException;
import java.io.StringReader;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;

/**
 * JSON by gson, which every Hadoop has on its classpath: 2.2.4 up to 3.2, 2.9 since. Whatever a text says, what
 * comes of it is a value or {@link Malformed}.
 */
final class Json {
    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().serializeNulls().create();

    private Json() {}

    /**
     * The text, which holds one object and nothing else, as one of a class of ours, field by field; {@code name} is
     * for errors. What the class does not know is skipped. What it does must be there, unless it has a value from
     * the start; numbers must tell by theirs.
     */
    static <T> T read(Class<T> type, String text, String name) throws Malformed {
        try {
            JsonReader in = new JsonReader(new StringReader(text)); // strict, as those that Gson makes are not
            T value = GSON.getAdapter(type).read(in);
            in.peek(); // throws when something follows
            checkWhole(value, name);
            return value;
        } catch (IOException | RuntimeException | IllegalAccessException | StackOverflowError e) {
            throw new Malformed(name + ": " + Log.cause(e));
        }
    }

    /** Gson leaves at null what is missing, and takes what is null. */
    private static void checkWhole(Object value, String path) throws Malformed, IllegalAccessException {
        Malformed.unless(value != null, path + " is missing");
        if (value instanceof Iterable) {
            for (Object each : (Iterable<?>) value) {
                checkWhole(each, path + "[]");
            }
        } else if (value.getClass().getName().startsWith(Json.class.getPackage().getName())) {
            for (Field field : value.getClass().getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers())) {
                    checkWhole(field.get(value), path + "." + field.getName());
                }
            }
        }
    }

    /** The value as JSON on one line. */
    static String write(Object value) {
        return GSON.toJson(value);
    }
}
